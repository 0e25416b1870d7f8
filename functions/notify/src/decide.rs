//! What is told to whom, and when it is tried again: pure.

use domain::pipeline::{Channel, NoticeRule};
use domain::{Digest, Envelope, Time};
use ports::Notice;

use crate::rows::Waiting;

/// The first wait in milliseconds: most of what fails passes within a minute.
const WAIT_FIRST: i64 = 60 * Time::SECOND;

/// The longest wait: a receiver that comes back is told within a quarter of a day.
const WAIT_MAX: i64 = 6 * Time::HOUR;

/// After this long a receiver is not down but gone: a weekend with a day to spare.
const GIVE_UP_AFTER: i64 = 72 * Time::HOUR;

/// The channels that are told of an event of a kind, each once, in the order of the rules.
pub fn channels<'a>(rules: &'a [NoticeRule], kind: &str) -> Vec<&'a Channel> {
    let mut channels: Vec<&Channel> = Vec::new();
    for rule in rules {
        let is_wanted = rule.kinds.is_empty() || rule.kinds.iter().any(|wanted| wanted == kind);
        if is_wanted && !channels.contains(&&rule.to) {
            channels.push(&rule.to);
        }
    }
    channels
}

/// What a channel is told of an event. Its id is of both, so that a repeat can be told.
pub fn notice(envelope: &Envelope, channel: &Channel) -> Notice {
    let channel = domain::digest::canonical(channel);
    Notice {
        id: Digest::of_parts(&["notice", &envelope.id, &channel]).hex(),
        pipeline: envelope.pipeline.clone(),
        kind: envelope.event.kind().to_owned(),
        subject: envelope.event.subject(),
        text: envelope.event.line(&envelope.actor),
        at: envelope.at,
        sequence: envelope.sequence,
        head: envelope.hash(),
    }
}

/// A channel in messages: of a webhook only the host, since many carry a secret in their path.
pub fn shown(channel: &Channel) -> String {
    match channel {
        Channel::File => "file".to_owned(),
        Channel::Webhook { url, .. } => {
            let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("webhook {host}")
        }
    }
}

/// Time until the next attempt, after so many have failed: 1, 2, 4 … minutes, at most six hours.
pub fn wait(attempts: u32) -> i64 {
    let doublings = attempts.saturating_sub(1).min(16);
    (WAIT_FIRST << doublings).min(WAIT_MAX)
}

/// How a notice waits on after another attempt failed, at the tick for `at`; none where it has
/// waited long enough and is given up.
pub fn next(waiting: &Waiting, at: Time) -> Option<Waiting> {
    if at >= waiting.since.plus(GIVE_UP_AFTER) {
        return None;
    }
    let attempts = waiting.attempts.saturating_add(1);
    Some(Waiting { attempts, next: at.plus(wait(attempts)), ..waiting.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_six_hours() {
        let minutes: Vec<i64> = (1..=11).map(|attempts| wait(attempts) / 60_000).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]);
        assert_eq!((wait(0), wait(u32::MAX)), (WAIT_FIRST, WAIT_MAX));
    }

    #[test]
    fn a_rule_without_kinds_names_them_all_and_a_channel_is_told_once() {
        let hook = Channel::Webhook { url: "https://a.example/x".into(), secret: "env:S".into() };
        let rule = |kinds: &[&str], to: &Channel| NoticeRule {
            kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            to: to.clone(),
        };
        let rules = [
            rule(&["ModelDeployed"], &hook),
            rule(&[], &Channel::File),
            rule(&["ModelDeployed"], &Channel::File),
        ];
        assert_eq!(channels(&rules, "ModelDeployed"), [&hook, &Channel::File]);
        assert_eq!(channels(&rules, "PartAccepted"), [&Channel::File]);
        assert!(channels(&[], "PartAccepted").is_empty());
    }

    #[test]
    fn a_webhook_is_shown_without_its_secrets() {
        for (url, expected) in [
            ("https://hooks.example/services/T0/B0/secret", "webhook hooks.example"),
            ("https://user:word@hooks.example:8443?token=1", "webhook hooks.example:8443"),
            ("hooks.example/secret", "webhook hooks.example"),
        ] {
            let channel = Channel::Webhook { url: url.into(), secret: "env:S".into() };
            assert_eq!(shown(&channel), expected);
        }
    }
}
