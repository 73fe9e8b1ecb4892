//! Requests and their answers. Secrets are read at the first request, and again after one that was not accepted.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, StatusCode, Url};

use super::retry_after::retry_after;
use super::target::{self, parse_proxy, parse_url};
use crate::policy::{Address, Credentials, HeaderText, HttpReceiver, TlsPlan};
use crate::sink::transport::{Outage, tls};

/// A receiver that does not take a connection within this time is not there.
const CONNECT: Duration = Duration::from_secs(10);
/// A connection that is not used for so long is closed by us, before the receiver does it while we are sending.
const IDLE: Duration = Duration::from_secs(15);
/// Largest answer that is read, bytes: a thousand times an ordinary one.
const ANSWER_MAX: usize = 8 << 20;
/// Characters of an answer that are repeated in a sentence.
const EXCERPT_MAX: usize = 200;

/// Speaks to one receiver.
pub(super) struct Client {
    receiver: HttpReceiver,
    open: Option<Open>,
}

/// With everything that is read from files and the environment.
pub(super) struct Open {
    http: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    /// What must not be repeated, whoever says it.
    secrets: Vec<String>,
}

/// A request, but for what all of a receiver have in common.
pub(super) struct Request<'a> {
    pub method: Method,
    /// Put at the end of the receiver's path; `None` for the path as configured.
    pub path: Option<&'a str>,
    /// The path where none is configured.
    pub default_path: Option<&'a str>,
    pub content_type: &'a str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl<'a> Request<'a> {
    /// A request to the path as configured.
    pub fn new(method: Method, content_type: &'a str, body: impl Into<Bytes>) -> Self {
        Self { method, path: None, default_path: None, content_type, headers: Vec::new(), body: body.into() }
    }

    /// The same to a path of the protocol.
    pub fn at(self, path: &'a str) -> Self {
        Self { path: Some(path), ..self }
    }
}

/// What a receiver answered.
pub(super) struct Answer {
    pub status: StatusCode,
    pub content_type: String,
    pub body: Vec<u8>,
    retry_after: Option<Duration>,
    /// The receiver, as sentences name it.
    pub place: String,
    /// The answer's beginning, fit to be repeated.
    pub excerpt: String,
}

impl Client {
    pub fn new(receiver: HttpReceiver) -> Self {
        Self { receiver, open: None }
    }

    pub fn timeout(&self) -> Duration {
        self.receiver.timeout
    }

    /// Closes connections and forgets secrets: both are had anew at the next request.
    pub fn forget(&mut self) {
        self.open = None;
    }

    /// Sends a request and reads the whole answer, whatever its status.
    pub async fn send(&mut self, request: Request<'_>) -> Result<Answer, Outage> {
        let open = match &mut self.open {
            Some(open) => open,
            closed => closed.insert(Open::new(&self.receiver).map_err(Outage::new)?),
        };
        let place = target::place(&open.url);
        let answer = match open.request(request).send().await {
            Ok(response) => open.answer(response, &place).await,
            Err(error) => Err(why(&error, &place, &self.receiver)),
        };
        // Whoever is not accepted may have been given another secret in the meantime.
        if matches!(&answer, Ok(answer) if matches!(answer.status.as_u16(), 401 | 403)) {
            self.open = None;
        }
        answer
    }
}

impl Open {
    /// Reads what has to be read.
    ///
    /// # Errors
    /// One sentence about the file or variable that is not as it should be.
    pub fn new(receiver: &HttpReceiver) -> Result<Self, String> {
        let mut secrets = Vec::new();
        let url = match &receiver.url {
            Address::Plain(text) => parse_url(text).map_err(|why| format!("url {why}"))?,
            Address::Secret(secret) => {
                let url =
                    parse_url(&secret.read()?).map_err(|why| format!("the address in {secret} {why}"))?;
                secrets.push(url.path().to_owned());
                secrets.extend(url.query().map(str::to_owned));
                url
            }
        };
        let mut builder = reqwest::Client::builder()
            .use_preconfigured_tls(certificates(&url, &receiver.tls)?)
            .user_agent(concat!("scanwatch/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT.min(receiver.timeout))
            .timeout(receiver.timeout)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1);
        if let Some(proxy) = &receiver.proxy {
            let proxy = parse_proxy(proxy).map_err(|why| format!("proxy {why}"))?;
            builder = builder.proxy(reqwest::Proxy::all(proxy).map_err(|_| "proxy is no URL".to_owned())?);
        }
        let http = builder.build().map_err(|error| {
            format!(
                "no connection by HTTP can be made ({}); check ca_file and certificate_file",
                cause(&error)
            )
        })?;
        let headers = headers(receiver, &http, &mut secrets)?;
        // The root path is in every address.
        secrets.retain(|secret| secret.len() > 1);
        Ok(Self { http, url, headers, secrets })
    }

    fn request(&self, request: Request<'_>) -> RequestBuilder {
        let url = match (request.path, request.default_path) {
            (Some(path), _) => target::below(&self.url, path),
            (None, Some(path)) if self.url.path() == "/" => target::below(&self.url, path),
            (None, _) => self.url.clone(),
        };
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(request.content_type) {
            headers.insert(CONTENT_TYPE, value);
        }
        for (name, value) in request.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        // What is configured comes last, and so replaces what we would say.
        headers.extend(self.headers.clone());
        self.http.request(request.method, url).headers(headers).body(request.body)
    }

    async fn answer(&self, mut response: reqwest::Response, place: &str) -> Result<Answer, Outage> {
        let text = |name: HeaderName| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (content_type, wait) = (text(CONTENT_TYPE), text(RETRY_AFTER));
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| {
            Outage::new(format!("{place} broke off in the middle of its answer ({})", cause(&error)))
        })? {
            if body.len() + chunk.len() > ANSWER_MAX {
                let limit = ANSWER_MAX >> 20;
                return Err(Outage::new(format!(
                    "{place} answers with more than {limit} MiB, as no receiver of messages does; check url"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status,
            content_type,
            retry_after: retry_after(&wait, SystemTime::now()),
            place: place.to_owned(),
            excerpt: self.excerpt(&body),
            body,
        })
    }

    /// The beginning of a text that somebody else wrote: on one line, and without our secrets.
    fn excerpt(&self, text: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(&text[..text.len().min(64 << 10)]).into_owned();
        for secret in &self.secrets {
            text = text.replace(secret, "…");
        }
        one_line(&text)
    }
}

impl Answer {
    /// An answer that nobody sent, for fuzzers and tests.
    #[cfg(any(test, fuzzing))]
    pub fn made_up(status: StatusCode, content_type: &str, wait: &str, body: &[u8]) -> Self {
        Self {
            status,
            content_type: content_type.to_owned(),
            body: body.to_vec(),
            retry_after: retry_after(wait, SystemTime::UNIX_EPOCH + Duration::from_hours(508_464)),
            place: "http://127.0.0.1:9200".to_owned(),
            excerpt: one_line(&String::from_utf8_lossy(body)),
        }
    }

    /// The answer as an outage.
    pub fn outage(&self, why: impl Into<String>) -> Outage {
        Outage { retry_after: self.retry_after, ..Outage::new(why) }
    }

    /// The status as an outage, the same in all dialects.
    pub fn outage_of_status(&self) -> Outage {
        let Self { status, place, excerpt, .. } = self;
        let status = status.as_u16();
        let said = if excerpt.is_empty() { String::new() } else { format!(": {excerpt}") };
        self.outage(match status {
            300..=399 => format!(
                "{place} answers {status}, a redirect, which is not followed; set url to where it leads"
            ),
            401 | 407 => {
                format!("{place} does not accept our credentials ({status}{said}); check the secret")
            }
            403 => {
                format!("{place} does not let us write ({status}{said}); check the secret and what it may do")
            }
            404 | 405 => format!("{place} does not take messages at that path ({status}{said}); check url"),
            408 | 425 | 429 | 500..=599 => format!("{place} takes nothing for the moment ({status}{said})"),
            _ => format!("{place} answers {status}, which is unexpected{said}; check url"),
        })
    }
}

/// Whom to trust, and our certificate. Nobody where the connection is in the clear: nothing is read that is not needed.
fn certificates(url: &Url, plan: &TlsPlan) -> Result<rustls::ClientConfig, String> {
    if url.scheme() == "https" {
        return Ok(tls::client_config(plan)?.as_ref().clone());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("no version of TLS can be spoken ({error}); this build is broken"))?;
    Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

/// The headers of every request; notes the secrets in them.
fn headers(
    receiver: &HttpReceiver,
    http: &reqwest::Client,
    secrets: &mut Vec<String>,
) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, text) in &receiver.headers {
        let value = match text {
            HeaderText::Plain(value) => header_value(value)?,
            HeaderText::Secret(secret) => {
                let text = secret.read()?;
                let value = sensitive(&text)
                    .map_err(|()| format!("the secret in {secret} is no value of a header"))?;
                secrets.push(text);
                value
            }
        };
        headers.append(header_name(name)?, value);
    }
    match &receiver.credentials {
        Credentials::None => {}
        Credentials::Token { scheme, token } => {
            let text = token.read()?;
            let value = sensitive(&format!("{scheme} {text}")).map_err(|()| {
                format!("the secret in {token} is no token: it holds characters that no header does")
            })?;
            secrets.push(text);
            headers.insert(AUTHORIZATION, value);
        }
        Credentials::Basic { user, password } => {
            let text = password.read()?;
            let request = http.post("http://localhost/").basic_auth(user, Some(&text)).build();
            let value = request.ok().and_then(|request| request.headers().get(AUTHORIZATION).cloned());
            let value = value.ok_or_else(|| format!("{user} and the secret in {password} cannot be sent"))?;
            secrets.extend(value.to_str().ok().and_then(|value| value.split(' ').nth(1)).map(str::to_owned));
            secrets.push(text);
            headers.insert(AUTHORIZATION, value);
        }
    }
    Ok(headers)
}

fn sensitive(text: &str) -> Result<HeaderValue, ()> {
    let mut value = HeaderValue::from_str(text).map_err(|_| ())?;
    value.set_sensitive(true);
    Ok(value)
}

/// The name of a header that may be configured.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn header_name(text: &str) -> Result<HeaderName, String> {
    const OURS: [&str; 6] = ["connection", "content-length", "host", "te", "transfer-encoding", "upgrade"];
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| format!("{text:?} is no name of a header; expected one such as \"X-Tenant\""))?;
    if OURS.contains(&name.as_str()) {
        return Err(format!("the header {name} follows from the connection; leave it out"));
    }
    Ok(name)
}

/// The value of a header that may be configured.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn header_value(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(text).map_err(|_| {
        format!("{text:?} is no value of a header; expected text on one line, without control characters")
    })
}

/// Why there is no answer.
fn why(error: &reqwest::Error, place: &str, receiver: &HttpReceiver) -> Outage {
    let cause = cause(error);
    let through =
        receiver.proxy.as_ref().map(|proxy| format!(" through the proxy {proxy}")).unwrap_or_default();
    Outage::new(if error.is_timeout() {
        let seconds = receiver.timeout.as_secs();
        format!(
            "{place} did not answer{through} within {seconds} s; check that it is well, or raise timeout_s"
        )
    } else if let Some(explained) = tls::explain(error) {
        format!("{place} cannot be spoken to{through}: {explained}")
    } else if error.is_connect() {
        format!("{place} cannot be reached{through} ({cause}); check url, and that the receiver runs")
    } else {
        format!("{place} broke off{through} ({cause})")
    })
}

/// What is at the bottom of an error. The rest repeats the address, and says where in a library it was noticed.
fn cause(error: &reqwest::Error) -> String {
    let mut bottom = error.source();
    while let Some(next) = bottom.and_then(std::error::Error::source) {
        bottom = Some(next);
    }
    one_line(&bottom.map_or_else(|| "no cause given".to_owned(), ToString::to_string))
}

/// What somebody else wrote, on one line and not too long.
pub(super) fn one_line(text: &str) -> String {
    let text: Vec<&str> =
        text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|s| !s.is_empty()).collect();
    let text = text.join(" ");
    match text.char_indices().nth(EXCERPT_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
