//! The receivers of alerts: each is asked whether it is there, all at once.

use std::time::Duration;

use futures_util::future::join_all;

use super::finding::{Area, Check, Finding};
use crate::policy::{Policy, SinkPlan};
use crate::sink::transport;

/// Longest time a receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// What to do where a receiver's answer does not say it.
const LOOK: &str = "see the receiver's log, and this sink's keys in the configuration";

/// What became of asking one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is there, and says so in these words.
    There(String),
    /// Something is wrong on our side: a certificate, a secret, a folder.
    Unfit(String),
    /// It is not there, or does not want us.
    Away(String),
    /// It did not answer in time.
    Silent,
}

/// What there is to know of one sink.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    name: String,
    kind: &'static str,
    answer: Answer,
}

pub(super) async fn gather(policy: &Policy) -> Vec<Facts> {
    join_all(policy.sinks.iter().map(ask)).await
}

async fn ask(plan: &SinkPlan) -> Facts {
    Facts { name: plan.name.clone(), kind: plan.transport.name(), answer: answer(plan).await }
}

async fn answer(plan: &SinkPlan) -> Answer {
    if let Err(why) = transport::check(plan) {
        return Answer::Unfit(why);
    }
    let mut transport = transport::of(plan);
    let answer = match tokio::time::timeout(PATIENCE, transport.probe()).await {
        Ok(Ok(found)) => Answer::There(found),
        Ok(Err(outage)) => Answer::Away(outage.why),
        Err(_) => Answer::Silent,
    };
    transport.close().await;
    answer
}

pub(super) fn judge(all: &[Facts]) -> Vec<Finding> {
    if all.is_empty() {
        let check = Check::of(Area::Sink, "receiver");
        return vec![check.ok("none is configured: alerts go to standard output, one a line")];
    }
    all.iter().map(judge_one).collect()
}

fn judge_one(facts: &Facts) -> Finding {
    let check = Check::about(Area::Sink, "receiver", &facts.name);
    match &facts.answer {
        Answer::There(found) => check.ok(format!("{}: {found}", facts.kind)),
        Answer::Unfit(why) | Answer::Away(why) => {
            check.problem_as_told(&format!("{}: {why}", facts.kind), LOOK)
        }
        Answer::Silent => {
            check.problem(format!("{}: no answer within {} s", facts.kind, PATIENCE.as_secs()), LOOK)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn judged(answer: Answer) -> Finding {
        judge(&[Facts { name: "siem".to_owned(), kind: "syslog", answer }]).remove(0)
    }

    #[test]
    fn a_receiver_that_is_there_is_ok_and_says_what_it_is() {
        let finding = judged(Answer::There("tcp:siem:601 is connected".to_owned()));
        assert_eq!(
            (finding.verdict, finding.found.as_str()),
            (Verdict::Ok, "syslog: tcp:siem:601 is connected")
        );
        assert_eq!(finding.subject.as_deref(), Some("siem"));
    }

    #[test]
    fn a_receiver_that_is_not_is_a_problem_with_its_reason_and_what_to_do() {
        let finding =
            judged(Answer::Away("siem:601 cannot be reached (refused); start the receiver".to_owned()));
        assert_eq!(finding.verdict, Verdict::Problem);
        assert_eq!(finding.found, "syslog: siem:601 cannot be reached (refused)");
        assert_eq!(finding.advice.as_deref(), Some("start the receiver"));
        let finding = judged(Answer::Unfit("ca.pem holds no certificate".to_owned()));
        assert_eq!((finding.verdict, finding.advice.as_deref()), (Verdict::Problem, Some(LOOK)));
    }

    #[test]
    fn silence_is_a_problem() {
        let finding = judged(Answer::Silent);
        assert_eq!(
            (finding.verdict, finding.found.as_str()),
            (Verdict::Problem, "syslog: no answer within 10 s")
        );
    }

    #[test]
    fn without_sinks_alerts_go_to_standard_output() {
        let findings = judge(&[]);
        assert_eq!((findings.len(), findings[0].verdict), (1, Verdict::Ok));
    }
}
