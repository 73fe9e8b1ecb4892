//! The address on which the agent answers: free, or who has it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;

use super::finding::{Area, Check, Finding};
use crate::kernel::may_write;
use crate::policy::Endpoint;
use crate::watch::documents::Health;
use crate::watch::{Client, Unreachable};

/// Who is at the address.
#[derive(Clone, Debug)]
pub(super) enum There {
    /// Nobody: it can be listened on.
    Nobody,
    /// Nobody, and this is in the way of listening.
    Barred(String),
    /// A scanwatch, with what it says of itself.
    Scanwatch(Health),
    /// A scanwatch that has no answer.
    Mute(String),
    /// Somebody else.
    Other(String),
}

pub(super) async fn gather(endpoint: &Endpoint) -> There {
    match Client::new(endpoint.clone()).get::<Health>("/healthz").await {
        Ok(health) => There::Scanwatch(health),
        Err(Unreachable::NoAnswer { why, .. }) => There::Mute(why),
        Err(Unreachable::Odd { why, .. }) => There::Other(why),
        // Who may not connect does not know who is there.
        Err(Unreachable::Nobody { error, .. }) if error.kind() == ErrorKind::PermissionDenied => {
            There::Other(error.to_string())
        }
        Err(Unreachable::Nobody { .. }) => match endpoint {
            Endpoint::Tcp(address) => is_ours(*address),
            Endpoint::Unix(path) => can_be_made(path),
        },
    }
}

/// Whether an address is one of this machine's. A port of the kernel's choice is taken for a moment, to find out.
fn is_ours(address: SocketAddr) -> There {
    match std::net::UdpSocket::bind((address.ip(), 0)) {
        Ok(_) => There::Nobody,
        Err(error) => There::Barred(error.to_string()),
    }
}

fn can_be_made(path: &Path) -> There {
    let folder = path.parent().unwrap_or(Path::new("/"));
    match may_write(folder) {
        Ok(()) => There::Nobody,
        Err(error) => There::Barred(format!("{}: {error}", folder.display())),
    }
}

pub(super) fn judge(endpoint: &Endpoint, there: &There) -> Finding {
    let check = Check::of(Area::Listen, "address");
    match there {
        There::Nobody => check.ok(format!("nobody listens on {endpoint} yet")),
        There::Barred(why) => {
            let advice = match endpoint {
                Endpoint::Tcp(_) => "choose an address of this machine",
                Endpoint::Unix(_) => {
                    "make that folder, for the user that runs scanwatch (RuntimeDirectory= in a unit)"
                }
            };
            check.problem(format!("{endpoint} cannot be listened on: {why}"), advice)
        }
        There::Scanwatch(health) if health.reasons.is_empty() => {
            check.note(format!("a scanwatch listens on {endpoint}, and is well"))
        }
        There::Scanwatch(health) => check.warning(
            format!("the scanwatch that listens on {endpoint} says: {}", health.reasons.join("; ")),
            "see its log",
        ),
        There::Mute(why) => check
            .warning(format!("a scanwatch listens on {endpoint}, and has no answer: {why}"), "see its log"),
        There::Other(why) => check.problem(
            format!("something else listens on {endpoint} ({why})"),
            "end that, or choose another `address` in [listen]",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn judged(there: &There) -> Finding {
        judge(&"127.0.0.1:9477".parse().unwrap(), there)
    }

    fn health(reasons: &[&str]) -> There {
        let reasons = reasons.iter().map(|reason| (*reason).to_owned()).collect();
        There::Scanwatch(Health { status: "degraded".to_owned(), reasons })
    }

    #[test]
    fn what_a_running_scanwatch_complains_of_is_passed_on() {
        assert_eq!(judged(&health(&[])).verdict, Verdict::Note);
        let finding = judged(&health(&["sink siem: refused"]));
        assert_eq!(finding.verdict, Verdict::Warning);
        assert!(finding.found.ends_with("says: sink siem: refused"), "{}", finding.found);
        assert_eq!(judged(&There::Mute("busy".to_owned())).verdict, Verdict::Warning);
    }

    #[test]
    fn an_address_that_another_program_has_is_a_problem() {
        assert_eq!(judged(&There::Other("status 404".to_owned())).verdict, Verdict::Problem);
        assert_eq!(judged(&There::Barred("not ours".to_owned())).verdict, Verdict::Problem);
        assert_eq!(judged(&There::Nobody).verdict, Verdict::Ok);
    }

    #[tokio::test]
    async fn a_free_address_is_told_from_one_that_is_taken_or_not_ours() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint::Tcp(listener.local_addr().unwrap());
        let answering = tokio::spawn(async move {
            use tokio::io::AsyncWriteExt as _;
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
        });
        assert!(matches!(gather(&endpoint).await, There::Other(_)));
        answering.await.unwrap();
        assert!(matches!(gather(&endpoint).await, There::Nobody));
        // TEST-NET-1 (RFC 5737) is nobody's.
        assert!(matches!(is_ours("192.0.2.7:9477".parse().unwrap()), There::Barred(_)));
        let folder = tempfile::tempdir().unwrap();
        let socket = |path: &str| Endpoint::Unix(folder.path().join(path));
        assert!(matches!(gather(&socket("api.sock")).await, There::Nobody));
        assert!(matches!(gather(&socket("gone/api.sock")).await, There::Barred(_)));
    }
}
