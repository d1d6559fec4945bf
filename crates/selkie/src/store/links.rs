//! Where sync with each relay stands, and what its last run did; kept across restarts.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, Row, params};
use selkie_core::sync::{BlockReason, Link, Phase};

use super::database::Database;
use super::identity::{from_sql, to_sql};
use crate::Error;
use crate::engine::SyncReport;
use crate::status::{HeldSegments, Network, RelayStatus};

/// A run that has ended.
pub(crate) struct EndedRun<'a> {
    pub(crate) started_ms: u64,
    pub(crate) ended_ms: u64,
    pub(crate) report: &'a SyncReport,
    pub(crate) error: Option<&'a Error>,
    /// What the next push takes at most.
    pub(crate) push_bytes: usize,
}

impl Database {
    /// Where sync with a relay stood when it was last stored; idle if never.
    pub(crate) fn link(&self, url: &str) -> Result<Link, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT state, reason, until, attempt FROM link WHERE url = ?1")?;
        Ok(statement.query_row([url], link_of).optional()?.unwrap_or(Link::Idle))
    }

    pub(crate) fn store_link(&self, url: &str, link: Link, network: Network) -> Result<(), Error> {
        let reason = if let Link::Blocked(reason) = link { Some(reason.name()) } else { None };
        let attempt = match link {
            Link::Running { attempt, .. } | Link::Backoff { attempt, .. } => attempt,
            _ => 0,
        };
        self.connection
            .prepare_cached(
                "INSERT INTO link (url, state, reason, until, attempt, network)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (url) DO UPDATE
                 SET state = ?2, reason = ?3, until = ?4, attempt = ?5, network = ?6",
            )?
            .execute(params![
                url,
                link.name(),
                reason,
                link.next_retry_ms().map(to_sql),
                attempt,
                network.name()
            ])?;
        Ok(())
    }

    /// How much one push to this relay takes, as last measured; 0 if never.
    pub(crate) fn push_bytes(&self, url: &str) -> Result<usize, Error> {
        let mut statement =
            self.connection.prepare_cached("SELECT push_bytes FROM link WHERE url = ?1")?;
        let bytes: Option<i64> = statement.query_row([url], |row| row.get(0)).optional()?;
        Ok(usize::try_from(bytes.unwrap_or(0)).unwrap_or(0))
    }

    pub(crate) fn store_run(&self, url: &str, run: &EndedRun<'_>) -> Result<(), Error> {
        let report = run.report;
        let numbers = [
            report.duration_ms,
            report.changes_sent,
            report.changes_received,
            report.segments_sent,
            report.segments_received,
            report.bytes_sent,
            report.bytes_received,
            report.conflicts_found,
            report.conflicts_resolved,
        ]
        .map(to_sql);
        let [duration, sent, received, segments_sent, segments_received, up, down, found, resolved] =
            numbers;
        let succeeded = run.error.is_none().then(|| to_sql(run.ended_ms));
        self.connection
            .execute("INSERT INTO link (url) VALUES (?1) ON CONFLICT (url) DO NOTHING", [url])?;
        self.connection.execute(
            "UPDATE link SET started_at = ?2, duration_ms = ?3, changes_sent = ?4,
             changes_received = ?5, segments_sent = ?6, segments_received = ?7, bytes_sent = ?8,
             bytes_received = ?9, conflicts_found = ?10, conflicts_resolved = ?11,
             error_message = ?12, push_bytes = ?13, parked = ?14,
             succeeded_at = coalesce(?15, succeeded_at) WHERE url = ?1",
            params![
                url,
                to_sql(run.started_ms),
                duration,
                sent,
                received,
                segments_sent,
                segments_received,
                up,
                down,
                found,
                resolved,
                run.error.map(ToString::to_string),
                to_sql(run.push_bytes as u64),
                report.parked.map(to_sql),
                succeeded
            ],
        )?;
        self.store_last_sync(url, run.ended_ms, run.error.map_or("ok", Error::code))
    }

    /// All relays ever synced with, the one used last first.
    pub(crate) fn relays(&self) -> Result<Vec<RelayStatus>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT l.state, l.reason, l.until, l.attempt, l.url, l.network, l.parked,
                    l.succeeded_at, l.started_at, l.duration_ms, l.changes_sent,
                    l.changes_received, l.bytes_sent, l.bytes_received, l.conflicts_found,
                    l.conflicts_resolved, l.error_message, r.last_sync_at, r.last_sync_outcome,
                    (SELECT coalesce(sum(changes), 0) FROM segment
                     WHERE number > coalesce(r.acknowledged, 0))
             FROM link l LEFT JOIN relay r ON r.url = l.url
             ORDER BY r.last_sync_at DESC, l.url",
        )?;
        let rows = statement.query_map([], |row| {
            let number = |at| Ok::<_, rusqlite::Error>(from_sql(row.get(at)?));
            let moment =
                |at| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(from_sql));
            let network: String = row.get(5)?;
            Ok(RelayStatus {
                link: link_of(row)?,
                url: row.get(4)?,
                network: Network::from_name(&network),
                parked: moment(6)?,
                last_success_ms: moment(7)?,
                last_run_ms: moment(17)?.or(moment(8)?),
                duration_ms: number(9)?,
                changes_sent: number(10)?,
                changes_received: number(11)?,
                bytes_sent: number(12)?,
                bytes_received: number(13)?,
                conflicts_found: number(14)?,
                conflicts_resolved: number(15)?,
                error_code: row.get::<_, Option<String>>(18)?.filter(|outcome| outcome != "ok"),
                error_message: row.get(16)?,
                unsent_changes: number(19)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What is held of each device, and why.
    pub(crate) fn held_segments(&self) -> Result<Vec<HeldSegments>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT device, reason, count(*), min(number), min(since) FROM held
             GROUP BY device, reason ORDER BY min(since)",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(HeldSegments {
                device: selkie_wire::DeviceId(row.get(0)?),
                reason: row.get(1)?,
                segments: from_sql(row.get(2)?),
                first: from_sql(row.get(3)?),
                since_ms: from_sql(row.get(4)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The open conflicts, each by its record and path.
    pub(crate) fn conflict_places(&self) -> Result<BTreeSet<(i64, Vec<u8>)>, Error> {
        let mut statement = self.connection.prepare_cached("SELECT record, path FROM conflict")?;
        let places = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(places.collect::<Result<_, _>>()?)
    }
}

/// The link in the first four columns. A name that a later version wrote is idle: it is tried anew.
fn link_of(row: &Row<'_>) -> rusqlite::Result<Link> {
    let (state, reason): (String, Option<String>) = (row.get(0)?, row.get(1)?);
    let attempt = row.get(3)?;
    Ok(match state.as_str() {
        "offline" => Link::Offline,
        "full" => Link::Full,
        "running" => Link::Running { phase: Phase::Hello, attempt },
        "backoff" => {
            let until: Option<i64> = row.get(2)?;
            Link::Backoff { until_ms: until.map_or(0, from_sql), attempt }
        }
        "blocked" => match reason.as_deref().and_then(BlockReason::from_name) {
            Some(reason) => Link::Blocked(reason),
            None => Link::Idle,
        },
        "paused" => Link::Paused,
        "suspended" => Link::Suspended { paused: false },
        _ => Link::Idle,
    })
}
