//! The address on which the agent answers: free, or who has it.

use std::io::ErrorKind;

use super::finding::{Area, Check, Finding};
use crate::policy::{Endpoint, Listen};
use crate::watch::documents::Health;
use crate::watch::{Client, Listener, Unreachable};

/// Who is at the address.
#[derive(Clone, Debug)]
pub(super) enum There {
    /// Nobody: it can be listened on.
    Nobody,
    /// Nobody, and this is in the way of listening; what to do.
    Barred(String, String),
    /// A scanwatch, with what it says of itself.
    Scanwatch(Health),
    /// A scanwatch that has no answer.
    Mute(String),
    /// Somebody else.
    Other(String),
}

pub(super) async fn gather(listen: &Listen) -> There {
    match Client::new(listen.endpoint.clone()).get::<Health>("/healthz").await {
        Ok(health) => There::Scanwatch(health),
        Err(Unreachable::NoAnswer { why, .. }) => There::Mute(why),
        Err(Unreachable::Odd { why, .. }) => There::Other(why),
        // Who may not connect does not know who is there.
        Err(Unreachable::Nobody { error, .. }) if error.kind() == ErrorKind::PermissionDenied => {
            There::Other(error.to_string())
        }
        Err(Unreachable::Nobody { .. }) => match Listener::obstacle(listen) {
            Ok(()) => There::Nobody,
            Err((why, advice)) => There::Barred(why, advice),
        },
    }
}

pub(super) fn judge(endpoint: &Endpoint, there: &There) -> Finding {
    let check = Check::of(Area::Listen, "address");
    match there {
        There::Nobody => check.ok(format!("nobody listens on {endpoint} yet")),
        There::Barred(why, advice) => {
            check.problem(format!("{endpoint} cannot be listened on: {why}"), advice.as_str())
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
        assert_eq!(
            judged(&There::Barred("not ours".to_owned(), "choose another".to_owned())).verdict,
            Verdict::Problem
        );
        assert_eq!(judged(&There::Nobody).verdict, Verdict::Ok);
    }

    fn listen(endpoint: Endpoint) -> Listen {
        Listen { endpoint, group: None, expose: false }
    }

    #[tokio::test]
    async fn a_free_address_is_told_from_one_that_is_taken_or_not_ours() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let taken = listen(Endpoint::Tcp(listener.local_addr().unwrap()));
        let answering = tokio::spawn(async move {
            use tokio::io::AsyncWriteExt as _;
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
        });
        assert!(matches!(gather(&taken).await, There::Other(_)));
        answering.await.unwrap();
        assert!(matches!(gather(&taken).await, There::Nobody));
        // TEST-NET-1 (RFC 5737) is nobody's.
        let foreign = listen("192.0.2.7:9477".parse().unwrap());
        assert_eq!(Listener::obstacle(&foreign).unwrap_err().1, "choose an address of this machine");
    }

    #[tokio::test]
    async fn what_is_in_the_way_of_a_socket_is_found_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let socket = |path: &str| listen(Endpoint::Unix(folder.path().join(path)));
        assert!(matches!(gather(&socket("api.sock")).await, There::Nobody));
        let There::Barred(why, advice) = gather(&socket("gone/api.sock")).await else { panic!("no folder") };
        assert!(why.contains("gone: No such file") && advice == "create the folder it lies in", "{why}");
        std::fs::write(folder.path().join("file"), "precious").unwrap();
        let There::Barred(why, _) = gather(&socket("file")).await else { panic!("a file") };
        assert_eq!(why, "there is a file that is no socket");
        assert_eq!(std::fs::read_to_string(folder.path().join("file")).unwrap(), "precious");
        let nobodys = Listen { group: Some("no-such-group".to_owned()), ..socket("api.sock") };
        assert!(matches!(gather(&nobodys).await, There::Barred(why, _) if why.contains("no-such-group")));
    }
}
