//! The machine against its documented table, every pair of state and event.

use super::*;
use crate::sync::Facts;

const DOCUMENT: &str = include_str!("../../../../../docs/SYNC_STATES.md");
const NOW_MS: u64 = 1_000_000;

/// A phase and attempt that no transition makes up by itself.
const RUNNING: Link = Link::Running { phase: Phase::Pull, attempt: 3 };
const BACKOFF: Link = Link::Backoff { until_ms: 5, attempt: 3 };

/// All states that a column of the table speaks of.
fn states(column: &str) -> Vec<Link> {
    let others = BlockReason::ALL.into_iter().filter(|reason| *reason != BlockReason::Credentials);
    match column {
        "offline" => vec![Link::Offline],
        "idle" => vec![Link::Idle],
        "full" => vec![Link::Full],
        "running" => [Phase::Hello, Phase::Push, Phase::Pull, Phase::Checkpoint]
            .map(|phase| Link::Running { phase, attempt: 3 })
            .to_vec(),
        "backoff" => vec![BACKOFF],
        "blocked (credentials)" => vec![Link::Blocked(BlockReason::Credentials)],
        "blocked (other)" => others.map(Link::Blocked).collect(),
        "paused" => vec![Link::Paused],
        "suspended" => vec![Link::Suspended { paused: false }],
        "suspended (paused)" => vec![Link::Suspended { paused: true }],
        other => panic!("the table has a column that is no state: {other}"),
    }
}

/// All events that a row of the table speaks of.
fn events(row: &str) -> Vec<LinkEvent> {
    let others = BlockReason::ALL.into_iter().filter(|reason| *reason != BlockReason::Credentials);
    let failed = LinkEvent::Failed { now_ms: NOW_MS, retry_after_ms: None, random: u64::MAX };
    match row {
        "network up" => vec![LinkEvent::NetworkUp],
        "network down" => vec![LinkEvent::NetworkDown],
        "wrote" => vec![LinkEvent::Wrote],
        "timer" => vec![LinkEvent::Timer],
        "signalled" => vec![LinkEvent::Signalled],
        "sync now" => vec![LinkEvent::SyncNow],
        "pause" => vec![LinkEvent::Pause],
        "resume" => vec![LinkEvent::Resume],
        "suspend" => vec![LinkEvent::Suspend],
        "credentials changed" => vec![LinkEvent::CredentialsChanged],
        "room signalled" => vec![LinkEvent::RoomSignalled],
        "started" => vec![LinkEvent::Started],
        "phase" => [Phase::Hello, Phase::Push, Phase::Pull, Phase::Checkpoint]
            .map(LinkEvent::Phase)
            .to_vec(),
        "progress" => vec![LinkEvent::Progress],
        "finished" => vec![LinkEvent::Finished],
        "finished, relay full" => vec![LinkEvent::FinishedFull],
        "cut" => vec![LinkEvent::Cut],
        "failed for now" => vec![failed],
        "failed (credentials)" => vec![LinkEvent::FailedFor(BlockReason::Credentials)],
        "failed (other)" => others.map(LinkEvent::FailedFor).collect(),
        other => panic!("the table has a row that is no event: {other}"),
    }
}

/// The column that a state belongs to.
fn column_of(link: Link) -> &'static str {
    match link {
        Link::Blocked(BlockReason::Credentials) => "blocked (credentials)",
        Link::Blocked(_) => "blocked (other)",
        Link::Suspended { paused: true } => "suspended (paused)",
        other => other.name(),
    }
}

fn effect_name(effect: Effect) -> &'static str {
    match effect {
        Effect::None => "",
        Effect::Start => "start",
        Effect::Cut => "cut",
        Effect::Close => "close",
    }
}

/// What stands in the document under a heading.
fn section(heading: &str) -> &'static str {
    let start = DOCUMENT.split(&format!("## {heading}\n")).nth(1).expect("the section is there");
    start.split("\n## ").next().unwrap_or(start)
}

fn cells(line: &str) -> Vec<&str> {
    line.trim().trim_matches('|').split('|').map(str::trim).collect()
}

#[test]
fn every_transition_is_the_documented_one() {
    let table = section("Transitions");
    let mut lines = table.lines().filter(|line| line.starts_with('|'));
    let columns = cells(lines.next().expect("a head"));
    assert_eq!(columns.len(), 11, "one column a state: {columns:?}");
    lines.next();
    let mut seen = std::collections::BTreeSet::new();
    for line in lines {
        let row = cells(line);
        assert!(seen.insert(row[0]), "{} stands twice", row[0]);
        for (column, cell) in columns.iter().zip(&row).skip(1) {
            for event in events(row[0]) {
                for state in states(column) {
                    let (next, effect) = state.next(event);
                    let (wanted, wanted_effect) = cell.split_once(", ").unwrap_or((cell, ""));
                    let wanted = if wanted == "–" { *column } else { wanted };
                    let found = (column_of(next), effect_name(effect));
                    assert_eq!(found, (wanted, wanted_effect), "{state:?} and {event:?}");
                    if *cell == "–" && !matches!(event, LinkEvent::Phase(_)) {
                        let kept = next == state || matches!(next, Link::Running { .. });
                        assert!(kept, "{state:?} and {event:?} lead to {next:?}");
                    }
                }
            }
        }
    }
    assert_eq!(seen.len(), 20, "one row an event: {seen:?}");
}

#[test]
fn every_state_is_shown_as_documented() {
    let table = section("What a screen shows");
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2).map(cells);
    let mut seen = 0;
    for row in rows {
        let [link, unsent, conflicts, driven, shown] = row[..] else { panic!("{row:?}") };
        let range = |cell: &str| match cell {
            "none" => vec![0],
            "some" => vec![1, 7],
            "any" => vec![0, 1, 7],
            other => panic!("{other}"),
        };
        for open_conflicts in range(conflicts) {
            for unsent_changes in range(unsent) {
                let drivers: &[bool] = match driven {
                    "yes" => &[true],
                    "no" => &[false],
                    _ => &[true, false],
                };
                for driven in drivers.iter().copied() {
                    for name in link.split(", ") {
                        for state in states(name) {
                            let facts = Facts { open_conflicts, unsent_changes, driven };
                            assert_eq!(state.shown(facts).name(), shown, "{state:?} {facts:?}");
                            seen += 1;
                        }
                    }
                }
            }
        }
    }
    // 16 states × 9 pairs of counts × 2; where a table row repeats a count it is seen again.
    assert_eq!(seen, 16 * 9 * 2, "every combination stands in the table once");
}

#[test]
fn backoff_doubles_to_a_bound_is_spread_and_begins_anew_after_success() {
    let mut link = Link::Running { phase: Phase::Hello, attempt: 0 };
    for bound_ms in [1_000, 2_000, 4_000, 8_000] {
        let failed = LinkEvent::Failed { now_ms: 0, retry_after_ms: None, random: u64::MAX };
        link = link.next(failed).0;
        assert_eq!(link.next_retry_ms(), Some(bound_ms));
        link = link.next(LinkEvent::Timer).0;
    }
    assert_eq!(backoff_ms(99, u64::MAX), BACKOFF_MS_MAX);
    let spread = [0, 1 << 62, 1 << 63, u64::MAX].map(|random| backoff_ms(4, random));
    assert_eq!(spread, [0, 4_000, 8_000, 16_000]);
    let (link, _) = link.next(LinkEvent::Finished);
    let (link, _) = link.next(LinkEvent::Timer);
    assert_eq!(link, Link::Running { phase: Phase::Hello, attempt: 0 });
}

#[test]
fn another_network_ends_a_backoff_and_forgets_the_failures() {
    let (link, effect) = BACKOFF.next(LinkEvent::NetworkUp);
    assert_eq!((link, effect), (Link::BEGUN, Effect::Start));
    assert_eq!(
        RUNNING.next(LinkEvent::NetworkUp).0,
        Link::Running { phase: Phase::Pull, attempt: 0 }
    );
}

#[test]
fn retry_after_is_honoured_within_reason() {
    for (asked_ms, waited_ms) in
        [(None, 8_000), (Some(30_000), 30_000), (Some(5), 8_000), (Some(u64::MAX), 3_600_000)]
    {
        let random = u64::MAX;
        let failed = LinkEvent::Failed { now_ms: NOW_MS, retry_after_ms: asked_ms, random };
        let (link, _) = RUNNING.next(failed);
        assert_eq!(link.next_retry_ms(), Some(NOW_MS + waited_ms), "{asked_ms:?}");
    }
}

#[test]
fn a_restart_begins_an_interrupted_run_anew_and_keeps_what_the_user_decided() {
    for (before, after) in [
        (RUNNING, Link::Idle),
        (Link::Offline, Link::Idle),
        (Link::Suspended { paused: false }, Link::Idle),
        (Link::Suspended { paused: true }, Link::Paused),
        (Link::Paused, Link::Paused),
        (Link::Full, Link::Full),
        (BACKOFF, BACKOFF),
        (Link::Blocked(BlockReason::Fork), Link::Blocked(BlockReason::Fork)),
        (Link::Blocked(BlockReason::DiskFull), Link::Idle),
    ] {
        assert_eq!(before.after_restart(), after, "{before:?}");
    }
    for reason in BlockReason::ALL {
        assert_eq!(BlockReason::from_name(reason.name()), Some(reason));
        assert!(!reason.advice().is_empty());
    }
}
