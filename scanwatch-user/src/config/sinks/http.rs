//! `type = "http"` and `type = "otlp"`.

use std::time::Duration;

use super::common::{TLS_KEYS, secret, tls};
use crate::config::error::{Fault, listed, quoted};
use crate::config::read::{Section, Value};
use crate::policy::{
    Address, BulkPlan, Credentials, Dialect, HeaderText, HecPlan, HttpPlan, HttpReceiver, Method, OtlpPlan,
    Secret, TransportPlan, WebhookPlan,
};
use crate::sink::Format;
use crate::sink::format::Template;
use crate::sink::transport::{header_name, header_value, parse_proxy, parse_url};

/// Keys of the type `http`, whatever the dialect.
pub const KEYS: &[&str] = &[
    "dialect",
    "url",
    "url_file",
    "url_env",
    "proxy",
    "timeout_s",
    "ca_file",
    "certificate_file",
    "key_file",
    "server_name",
    "token_file",
    "token_env",
    "host",
    "source",
    "sourcetype",
    "index",
    "ack",
    "api_key_file",
    "api_key_env",
    "user",
    "password_file",
    "password_env",
    "data_stream",
    "method",
    "headers",
    "secret_headers",
    "content_type",
    "body",
];

/// Keys of the type `otlp`.
pub const OTLP_KEYS: &[&str] = &[
    "url",
    "url_file",
    "url_env",
    "proxy",
    "timeout_s",
    "ca_file",
    "certificate_file",
    "key_file",
    "server_name",
    "token_file",
    "token_env",
    "user",
    "password_file",
    "password_env",
    "headers",
    "secret_headers",
];

/// Keys of one dialect alone, by its name.
const DIALECTS: [(&str, &[&str]); 3] = [
    ("splunk_hec", &["token_file", "token_env", "host", "source", "sourcetype", "index", "ack"]),
    (
        "elastic_bulk",
        &["api_key_file", "api_key_env", "user", "password_file", "password_env", "data_stream"],
    ),
    (
        "webhook",
        &[
            "token_file",
            "token_env",
            "user",
            "password_file",
            "password_env",
            "method",
            "headers",
            "secret_headers",
            "content_type",
            "body",
        ],
    ),
];

const TIMEOUT_S: u64 = 30;
/// Elastic's naming scheme: type, dataset, namespace.
const DATA_STREAM: &str = "logs-scanwatch-default";

/// Reads the keys of `http`.
pub fn plan(section: &Section) -> Result<TransportPlan, Fault> {
    let names = DIALECTS.map(|(name, _)| (name, name));
    let name = section.need("dialect", "dialect = \"splunk_hec\"")?.choice(&names)?;
    expect_dialect(section, name)?;
    let (dialect, credentials) = match name {
        "splunk_hec" => (Dialect::SplunkHec(hec(section)?), credentials(section, "Splunk", "token")?),
        "elastic_bulk" => (Dialect::ElasticBulk(bulk(section)?), credentials(section, "ApiKey", "api_key")?),
        _ => (Dialect::Webhook(webhook(section)?), credentials(section, "Bearer", "token")?),
    };
    if name == "splunk_hec" && credentials == Credentials::None {
        return Err(section.fault(
            "a Splunk HTTP Event Collector asks for a token; add token_file = \"/etc/scanwatch/hec-token\", or token_env",
        ));
    }
    Ok(TransportPlan::Http(HttpPlan { receiver: receiver(section, credentials)?, dialect }))
}

/// Reads the keys of `otlp`.
pub fn otlp(section: &Section) -> Result<TransportPlan, Fault> {
    let credentials = credentials(section, "Bearer", "token")?;
    Ok(TransportPlan::Otlp(OtlpPlan { receiver: receiver(section, credentials)? }))
}

/// Refuses what only another dialect has.
fn expect_dialect(section: &Section, dialect: &str) -> Result<(), Fault> {
    let of =
        |name: &str| DIALECTS.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, keys)| *keys);
    let own = of(dialect);
    for value in section.values() {
        let foreign = DIALECTS.iter().any(|(_, keys)| keys.contains(&value.key)) && !own.contains(&value.key);
        if foreign {
            return Err(value.fault(format!(
                "{} is no key of dialect = \"{dialect}\"; it has {}",
                quoted(value.key),
                listed(own.iter().copied())
            )));
        }
    }
    Ok(())
}

fn receiver(section: &Section, credentials: Credentials) -> Result<HttpReceiver, Fault> {
    let proxy = match section.get("proxy") {
        Some(value) => {
            let text = value.text("a URL such as \"http://proxy.example:3128\"")?;
            parse_proxy(text).map_err(|why| value.fault(format!("{} {why}", quoted(text))))?;
            Some(text.to_owned())
        }
        None => None,
    };
    let timeout_s = section.get("timeout_s").map(|value| value.integer(1..=300)).transpose()?;
    let url = address(section)?;
    let in_clear = matches!(&url, Address::Plain(url) if url.starts_with("http://"));
    if in_clear && let Some(value) = TLS_KEYS.iter().find_map(|key| section.get(key)) {
        return Err(
            value.fault(format!("`{}` is of no use with http://; begin url with https://", value.key))
        );
    }
    Ok(HttpReceiver {
        url,
        headers: headers(section, &credentials)?,
        credentials,
        tls: tls(section)?,
        proxy,
        timeout: Duration::from_secs(timeout_s.unwrap_or(TIMEOUT_S)),
    })
}

fn address(section: &Section) -> Result<Address, Fault> {
    const EXAMPLE: &str = "url = \"https://siem.example:8088\"";
    let elsewhere = secret(section, "url_file", "url_env")?;
    match (section.get("url"), elsewhere) {
        (Some(value), None) => {
            let text = value.text("a URL such as \"https://siem.example:8088\"")?;
            let url = parse_url(text).map_err(|why| value.fault(format!("`url` {why}")))?;
            Ok(Address::Plain(url.into()))
        }
        (None, Some(secret)) => Ok(Address::Secret(secret)),
        (None, None) => section.need("url", EXAMPLE).map(|_| Address::Plain(String::new())),
        (Some(value), Some(_)) => {
            Err(value.fault("`url` and the file or variable that holds it are both given; keep one of them"))
        }
    }
}

/// A token by `key_file` or `key_env`, or user and password.
fn credentials(section: &Section, scheme: &'static str, key: &str) -> Result<Credentials, Fault> {
    let token = match key {
        "token" => secret(section, "token_file", "token_env")?,
        _ => secret(section, "api_key_file", "api_key_env")?,
    };
    let password = secret(section, "password_file", "password_env")?;
    let user = section.get("user");
    match (token, user, password) {
        (None, None, None) => Ok(Credentials::None),
        (Some(token), None, None) => Ok(Credentials::Token { scheme, token }),
        (None, Some(user), Some(password)) => {
            const WANTED: &str = "a name without `:` and control characters";
            let name = user.text(WANTED)?;
            if name.is_empty() || name.contains(|c: char| c == ':' || c.is_control()) {
                return Err(user.expected(WANTED));
            }
            Ok(Credentials::Basic { user: name.to_owned(), password })
        }
        (None, ..) => Err(section
            .fault("`user` and `password_file` or `password_env` belong together; give both, or neither")),
        (Some(_), ..) => Err(section.fault(format!(
            "`{key}_file` or `{key}_env` is given as well as a user or a password; keep the one or the other"
        ))),
    }
}

fn headers(section: &Section, credentials: &Credentials) -> Result<Vec<(String, HeaderText)>, Fault> {
    let mut headers: Vec<(String, HeaderText)> = Vec::new();
    let tables = [
        ("headers", "headers = { X-Tenant = \"red\" }"),
        ("secret_headers", "secret_headers = { X-Key = { file = \"/etc/scanwatch/key\" } }"),
    ];
    for (key, example) in tables {
        let Some(value) = section.get(key) else { continue };
        let table = value.section(format!("`{key}`"), &format!("a table such as {example}"))?;
        for value in table.values() {
            let name = header_name(value.key).map_err(|why| value.fault(why))?;
            if headers.iter().any(|(known, _)| *known == name.as_str()) {
                return Err(value.fault(format!("the header {name} is given twice; keep one of them")));
            }
            if name == "authorization" && *credentials != Credentials::None {
                return Err(value.fault(
                    "the header authorization follows from the token or the password; keep one of them",
                ));
            }
            let text =
                if key == "headers" { plain(&value)? } else { HeaderText::Secret(header_secret(&value)?) };
            headers.push((name.as_str().to_owned(), text));
        }
    }
    Ok(headers)
}

fn plain(value: &Value) -> Result<HeaderText, Fault> {
    let text = value.text("a text, or, for a secret, an entry of secret_headers")?;
    header_value(text).map_err(|why| value.fault(why))?;
    Ok(HeaderText::Plain(text.to_owned()))
}

fn header_secret(value: &Value) -> Result<Secret, Fault> {
    const WANTED: &str = "a place such as { file = \"/etc/scanwatch/key\" } or { env = \"SIEM_KEY\" }";
    // What is there instead may be the secret itself, and is not repeated.
    let wrong = || {
        value.fault(format!("`{}` in `secret_headers` is no place of a secret; expected {WANTED}", value.key))
    };
    let place = value.section(format!("`{}`", value.key), WANTED).map_err(|_| wrong())?;
    place.expect_keys(&["file", "env"])?;
    secret(&place, "file", "env")?.ok_or_else(wrong)
}

/// A text that is there and on one line.
fn text(section: &Section, key: &'static str) -> Result<Option<String>, Fault> {
    const WANTED: &str = "a text on one line";
    let Some(value) = section.get(key) else { return Ok(None) };
    let text = value.text(WANTED)?;
    if text.is_empty() || text.contains(char::is_control) {
        Err(value.expected(WANTED))
    } else {
        Ok(Some(text.to_owned()))
    }
}

fn hec(section: &Section) -> Result<HecPlan, Fault> {
    Ok(HecPlan {
        host: text(section, "host")?,
        source: text(section, "source")?.unwrap_or_else(|| "scanwatch".to_owned()),
        sourcetype: text(section, "sourcetype")?.unwrap_or_else(|| "scanwatch:alert".to_owned()),
        index: text(section, "index")?,
        ack: section.get("ack").map(|value| value.flag()).transpose()?.unwrap_or(false),
    })
}

fn bulk(section: &Section) -> Result<BulkPlan, Fault> {
    const WANTED: &str = "the name of a data stream such as \"logs-scanwatch-default\"";
    if let Some(value) = section.get("format")
        && value.choice(&Format::NAMES)? != Format::Ecs
    {
        return Err(value.fault(
            "dialect = \"elastic_bulk\" takes format = \"ecs\" alone: a data stream asks for `@timestamp` and fields as ECS has them",
        ));
    }
    let Some(value) = section.get("data_stream") else {
        return Ok(BulkPlan { data_stream: DATA_STREAM.to_owned() });
    };
    let name = value.text(WANTED)?;
    // Elasticsearch's rules for names of indices, and what needs no escape in a path.
    let fits = (1..=255).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
        && !name.starts_with(['-', '_', '.']);
    if fits { Ok(BulkPlan { data_stream: name.to_owned() }) } else { Err(value.expected(WANTED)) }
}

/// The body of a webhook, where it is none of our forms.
pub fn template(section: &Section) -> Result<Option<Template>, Fault> {
    let Some(value) = section.get("body") else { return Ok(None) };
    if let Some(format) = section.get("format") {
        return Err(format.fault("`format` and `body` are both given; keep one of them"));
    }
    let text = value.text("a template such as '{ \"text\": {{ event.reason | tojson }} }'")?;
    Template::parse(text).map(Some).map_err(|why| value.fault(format!("`body`: {why}")))
}

fn webhook(section: &Section) -> Result<WebhookPlan, Fault> {
    const METHODS: [(&str, Method); 2] = [("POST", Method::Post), ("PUT", Method::Put)];
    let method = section.get("method").map(|value| value.choice(&METHODS)).transpose()?;
    let content_type = text(section, "content_type")?;
    // What a body is made of a template is, cannot be known; nearly every webhook wants JSON.
    let default = section.get("body").map(|_| "application/json".to_owned());
    Ok(WebhookPlan { method: method.unwrap_or(Method::Post), content_type: content_type.or(default) })
}
