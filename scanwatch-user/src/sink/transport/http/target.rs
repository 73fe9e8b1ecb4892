//! Addresses: which are accepted, and what of them is shown.

use reqwest::Url;

/// The address of a receiver.
///
/// # Errors
/// What is wrong with it, and what would be right; the text itself, which may be a secret, is not repeated.
pub(crate) fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| {
        format!("is no URL ({error}); expected one such as \"https://siem.example:8088\"")
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(
            "begins neither with https:// nor with http:// and a host; these are spoken here".to_owned()
        );
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "holds a user or a password; name the file or the environment variable that holds them instead"
                .to_owned(),
        );
    }
    if url.fragment().is_some() {
        return Err("has a part after `#`, which is never sent; leave that out".to_owned());
    }
    Ok(url)
}

/// The address of a proxy.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub(crate) fn parse_proxy(text: &str) -> Result<Url, String> {
    let url = parse_url(text)?;
    if url.scheme() == "http" && url.path() == "/" && url.query().is_none() {
        return Ok(url);
    }
    Err("is no proxy; expected one such as \"http://proxy.example:3128\"".to_owned())
}

/// What is shown of an address: scheme, host and port. Path and query may be secrets.
pub(super) fn place(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

/// The address with `path` at the end of its own, where it does not end so already.
pub(super) fn below(url: &Url, path: &str) -> Url {
    let mut url = url.clone();
    let base = url.path().trim_end_matches('/').to_owned();
    let base = base.strip_suffix(path).unwrap_or(&base);
    url.set_path(&format!("{base}{path}"));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_put_at_the_end_once() {
        for (url, expected) in [
            ("https://siem:8088", "https://siem:8088/services/collector/event"),
            ("https://siem/splunk/", "https://siem/splunk/services/collector/event"),
            ("https://siem/services/collector/event", "https://siem/services/collector/event"),
        ] {
            assert_eq!(below(&parse_url(url).unwrap(), "/services/collector/event").as_str(), expected);
        }
    }

    #[test]
    fn what_is_shown_holds_no_path() {
        let url = parse_url("https://hooks.example:444/services/T000/SECRET?key=SECRET").unwrap();
        assert_eq!(place(&url), "https://hooks.example:444");
        assert_eq!(place(&parse_url("http://[fd00::1]/").unwrap()), "http://[fd00::1]");
    }

    #[test]
    fn addresses_that_are_none_are_refused_without_being_repeated() {
        for text in [
            "",
            "siem",
            "siem:8088",
            "ftp://SECRET",
            "https://",
            "https://SECRET:x@siem",
            "https://siem#SECRET",
            "http://SECRET:99999",
        ] {
            let why = parse_url(text).unwrap_err();
            assert!(!why.contains("SECRET"), "{why}");
        }
        assert!(parse_proxy("http://proxy:3128").is_ok());
        for text in ["https://proxy:3128", "http://proxy:3128/path", "socks5://proxy"] {
            assert!(parse_proxy(text).is_err(), "{text}");
        }
    }
}
