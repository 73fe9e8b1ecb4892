//! Which request is answered by what.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::json;

use super::ask::{Ask, Asker, LIMIT_MAX, NoAnswer};
use super::documents::{Health, Incidents, Ports, Sources, Status};
use super::metrics::exposition;

/// Entries of an answer, where the request does not say how many.
const LIMIT: usize = 100;
/// The text format of Prometheus.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Every path there is.
const PATHS: &str = "/metrics, /healthz, /api/status, /api/incidents, /api/sources, /api/ports";

/// What every answer is made from.
#[derive(Clone)]
struct Agent {
    asker: Asker,
    hostname: Arc<str>,
}

/// Answers by asking the agent. `is_private` refuses requests that name this machine by any other name than a number or
/// localhost.
pub(super) fn router(asker: Asker, hostname: &str, is_private: bool) -> Router {
    let agent = Agent { asker, hostname: hostname.into() };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/api/status", get(status))
        .route("/api/incidents", get(incidents))
        .route("/api/sources", get(sources))
        .route("/api/ports", get(ports))
        .fallback(nowhere)
        .layer(middleware::from_fn(move |request, next| guard(is_private, request, next)))
        .with_state(agent)
}

/// Refuses what no question of ours looks like, before anything is asked.
async fn guard(is_private: bool, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let mut response = if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = refuse(StatusCode::METHOD_NOT_ALLOWED, "this is read with GET");
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        refusal
    } else if has_body(headers) {
        refuse(StatusCode::PAYLOAD_TOO_LARGE, "a question has no body")
    } else if is_private && !is_of_this_machine(headers) {
        refuse(
            StatusCode::FORBIDDEN,
            "ask by 127.0.0.1, [::1] or localhost, or say `expose = true` in [listen]",
        )
    } else {
        next.run(request).await
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0")
}

/// A page of somebody's may have its name lead to 127.0.0.1, and then read what is answered (DNS rebinding). A request that names
/// an address was not led.
fn is_of_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST) else { return true };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    let number = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || number.parse::<IpAddr>().is_ok()
}

fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

/// An answer as a document; why there is none, with the status that says whose fault it is.
async fn answer<T, D: Serialize>(
    asked: impl Future<Output = Result<T, NoAnswer>>,
    document: impl FnOnce(T) -> D,
) -> Response {
    match asked.await {
        Ok(answer) => Json(document(answer)).into_response(),
        Err(none) => no_answer(&none),
    }
}

fn no_answer(none: &NoAnswer) -> Response {
    let status = match none {
        NoAnswer::Late | NoAnswer::Ending => StatusCode::SERVICE_UNAVAILABLE,
        NoAnswer::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    refuse(status, &none.to_string())
}

async fn metrics(State(agent): State<Agent>) -> Response {
    match agent.asker.ask(Ask::Reading).await {
        Ok(reading) => match exposition(&reading) {
            Ok(text) => ([(CONTENT_TYPE, METRICS)], text).into_response(),
            Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        },
        Err(none) => no_answer(&none),
    }
}

async fn healthz(State(agent): State<Agent>) -> Response {
    match agent.asker.ask(Ask::Reading).await {
        Ok(reading) => Json(Health::of(&reading)).into_response(),
        Err(none) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(Health::unresponsive(none.to_string()))).into_response()
        }
    }
}

async fn status(State(agent): State<Agent>) -> Response {
    answer(agent.asker.ask(Ask::Reading), |reading| Status::of(&reading, &agent.hostname)).await
}

async fn incidents(State(agent): State<Agent>, uri: Uri) -> Response {
    match limit(&uri) {
        Ok(limit) => answer(agent.asker.ask(|to| Ask::Incidents(limit, to)), Incidents::from).await,
        Err(error) => refuse(StatusCode::BAD_REQUEST, &error),
    }
}

async fn sources(State(agent): State<Agent>, uri: Uri) -> Response {
    match limit(&uri) {
        Ok(limit) => answer(agent.asker.ask(|to| Ask::Sources(limit, to)), Sources::from).await,
        Err(error) => refuse(StatusCode::BAD_REQUEST, &error),
    }
}

async fn ports(State(agent): State<Agent>, uri: Uri) -> Response {
    match limit(&uri) {
        Ok(limit) => answer(agent.asker.ask(|to| Ask::Ports(limit, to)), Ports::from).await,
        Err(error) => refuse(StatusCode::BAD_REQUEST, &error),
    }
}

async fn nowhere() -> Response {
    refuse(StatusCode::NOT_FOUND, &format!("there is nothing here; there are {PATHS}"))
}

/// The one parameter there is: `?limit=N`.
fn limit(uri: &Uri) -> Result<usize, String> {
    let Some(query) = uri.query().filter(|query| !query.is_empty()) else { return Ok(LIMIT) };
    let number = query.strip_prefix("limit=").and_then(|number| number.parse().ok());
    let number = number.filter(|number| (1..=LIMIT_MAX).contains(number));
    number.ok_or_else(|| format!("expected limit=N, a whole number from 1 to {LIMIT_MAX}, and nothing else"))
}
