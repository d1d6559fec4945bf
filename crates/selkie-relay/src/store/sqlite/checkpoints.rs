//! Checkpoints in the file: chunks, at most two manifests a vault, and pruning what one covers.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, params};
use selkie_wire::limits::{PAGE_BYTES_MAX, PAGE_SEGMENTS_MAX};
use selkie_wire::relay::{CheckpointSummary, CosignOutcome, ManifestOutcome, PushOutcome};
use selkie_wire::{DeviceId, Digest, Manifest};

use super::super::checkpoints::{
    Chain, is_old_enough, judge_covers, missing_chunks, named_chunks, settled_chain,
};
use super::super::{
    CosignPlan, FetchPlan, Judged, ManifestPlan, ManifestPut, ManifestQuery, PutChunksPlan, Room,
    Seen, StoredManifest,
};
use super::reads::{self, VaultRow, number_at, to_sql};
use super::writes::{insert_device, set_chain, set_sizes};

const CANDIDATE: i64 = 0;
const SETTLED: i64 = 1;

/// The vault, if its roster still ends where the member was judged.
fn judged(connection: &Connection, member: Seen) -> rusqlite::Result<Option<VaultRow>> {
    let vault = reads::vault(connection, member.vault)?;
    Ok(vault.filter(|vault| vault.roster_last == member.roster))
}

/// What a pull tells of the vault's checkpoints.
pub(super) fn summary(
    connection: &Connection,
    vault: &VaultRow,
) -> rusqlite::Result<CheckpointSummary> {
    let mut summary =
        CheckpointSummary { log_bytes: vault.log_bytes, ..CheckpointSummary::default() };
    let mut statement = connection.prepare_cached(
        "SELECT settled, digest, size_bytes, covered_bytes FROM manifests
         WHERE vault_id = ?1 ORDER BY settled DESC",
    )?;
    let mut rows = statement.query([vault.id])?;
    while let Some(row) = rows.next()? {
        let digest = Some(Digest(row.get(1)?));
        if row.get::<_, i64>(0)? == SETTLED {
            summary.settled = digest;
        } else {
            summary.candidate = digest;
        }
        // The candidate comes last, and is the newer one.
        summary.checkpoint_bytes = number_at(row, 2)?;
        summary.log_bytes = vault.log_bytes.saturating_sub(number_at(row, 3)?);
    }
    Ok(summary)
}

/// The manifests that count, settled first.
pub(super) fn manifests(connection: &Connection, vault: i64) -> rusqlite::Result<Vec<Manifest>> {
    let mut statement = connection
        .prepare_cached("SELECT bytes FROM manifests WHERE vault_id = ?1 ORDER BY settled DESC")?;
    let bytes = statement.query_map([vault], |row| row.get::<_, Vec<u8>>(0))?;
    bytes.map(|bytes| bytes.and_then(parse)).collect()
}

/// They were parsed before they were stored.
fn parse(bytes: Vec<u8>) -> rusqlite::Result<Manifest> {
    Manifest::parse(bytes).map_err(|_| rusqlite::Error::InvalidQuery)
}

fn kept(connection: &Connection, vault: i64, settled: i64) -> rusqlite::Result<Option<Manifest>> {
    connection
        .prepare_cached("SELECT bytes FROM manifests WHERE vault_id = ?1 AND settled = ?2")?
        .query_row([vault, settled], |row| row.get::<_, Vec<u8>>(0))
        .optional()?
        .map(parse)
        .transpose()
}

pub(super) fn put_chunks(
    connection: &Connection,
    room: &Room,
    plan: &PutChunksPlan,
) -> rusqlite::Result<Judged<Vec<PushOutcome>>> {
    let Some(mut vault) = judged(connection, plan.member)? else { return Ok(Judged::Moved) };
    let mut outcomes = Vec::with_capacity(plan.chunks.len());
    for chunk in plan.chunks.iter() {
        let Some((digest, bytes)) = chunk else {
            outcomes.push(PushOutcome::Refused);
            continue;
        };
        let known: bool = connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM chunks WHERE vault_id = ?1 AND digest = ?2)",
            )?
            .query_row(params![vault.id, digest.as_bytes()], |row| row.get(0))?;
        let size_bytes = bytes.len() as u64;
        outcomes.push(if known {
            PushOutcome::Duplicate
        } else if vault.used_bytes + size_bytes > room.vault_bytes_max {
            PushOutcome::Quota
        } else {
            vault.used_bytes += size_bytes;
            connection
                .prepare_cached("INSERT INTO chunks VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![vault.id, digest.as_bytes(), to_sql(size_bytes), bytes])?;
            PushOutcome::Stored
        });
    }
    set_sizes(connection, &vault)?;
    Ok(Judged::Done(outcomes))
}

pub(super) fn chunks(
    connection: &Connection,
    plan: &FetchPlan,
) -> rusqlite::Result<Judged<Vec<Vec<u8>>>> {
    let snapshot =
        rusqlite::Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Deferred)?;
    let Some(vault) = judged(&snapshot, plan.member)? else { return Ok(Judged::Moved) };
    let mut page: Vec<Vec<u8>> = Vec::new();
    let mut size_bytes = 0;
    for digest in plan.digests.iter().take(PAGE_SEGMENTS_MAX) {
        let chunk: Vec<u8> = snapshot
            .prepare_cached("SELECT bytes FROM chunks WHERE vault_id = ?1 AND digest = ?2")?
            .query_row(params![vault.id, digest.as_bytes()], |row| row.get(0))
            .optional()?
            .unwrap_or_default();
        size_bytes += chunk.len();
        if size_bytes > PAGE_BYTES_MAX && !page.is_empty() {
            break;
        }
        page.push(chunk);
    }
    Ok(Judged::Done(page))
}

pub(super) fn put_manifest(
    connection: &Connection,
    room: &Room,
    plan: &ManifestPlan,
) -> rusqlite::Result<Judged<ManifestPut>> {
    let Some(mut vault) = judged(connection, plan.member)? else { return Ok(Judged::Moved) };
    settle_if_old(connection, &mut vault, plan.member, plan.now_ms)?;
    if let Some(outcome) = refusal(connection, room, &vault, plan)? {
        return Ok(Judged::Done(outcome));
    }
    let bytes = plan.manifest.bytes();
    vault.used_bytes += bytes.len() as u64;
    remove(connection, &mut vault, CANDIDATE)?;
    let mut covered = 0;
    for (device, (number, _)) in &plan.manifest.body().covers {
        if let Some((id, _)) = reads::device(connection, vault.id, *device)? {
            covered += connection
                .prepare_cached(
                    "SELECT coalesce(sum(length(bytes)), 0) FROM segments
                     WHERE device_id = ?1 AND number <= ?2",
                )?
                .query_row(params![id, to_sql(number.0)], |row| number_at(row, 0))?;
        }
    }
    connection
        .prepare_cached("INSERT INTO manifests VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, NULL, ?7)")?
        .execute(params![
            vault.id,
            CANDIDATE,
            plan.digest.as_bytes(),
            to_sql(plan.now_ms),
            to_sql(plan.manifest.size_bytes()),
            to_sql(covered),
            bytes
        ])?;
    drop_unnamed(connection, &mut vault)?;
    set_sizes(connection, &vault)?;
    Ok(Judged::Done(ManifestOutcome::Stored.into()))
}

/// Why a manifest does not become the candidate; none if it may.
fn refusal(
    connection: &Connection,
    room: &Room,
    vault: &VaultRow,
    plan: &ManifestPlan,
) -> rusqlite::Result<Option<ManifestPut>> {
    let known: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM manifests WHERE vault_id = ?1 AND digest = ?2)",
        )?
        .query_row(params![vault.id, plan.digest.as_bytes()], |row| row.get(0))?;
    if known {
        return Ok(Some(ManifestOutcome::Duplicate.into()));
    }
    let settled = kept(connection, vault.id, SETTLED)?;
    let settled = settled.as_ref().map(|manifest| &manifest.body().covers);
    let judged = judge_covers(&plan.manifest.body().covers, settled, |device, number| {
        let Some((id, chain)) = reads::device(connection, vault.id, device)? else {
            return Ok::<_, rusqlite::Error>(None);
        };
        if chain.base.number == number {
            return Ok(chain.base.digest);
        }
        reads::segment_digest(connection, id, number)
    })?;
    if let Some(outcome) = judged {
        return Ok(Some(outcome.into()));
    }
    let missing = missing_chunks(&plan.manifest, &sizes(connection, vault.id)?);
    if !missing.is_empty() {
        return Ok(Some(ManifestPut { outcome: ManifestOutcome::ChunksMissing, missing }));
    }
    let used_bytes = vault.used_bytes + plan.manifest.bytes().len() as u64;
    Ok((used_bytes > room.vault_bytes_max).then(|| ManifestOutcome::Quota.into()))
}

fn sizes(connection: &Connection, vault: i64) -> rusqlite::Result<BTreeMap<Digest, u64>> {
    let mut statement =
        connection.prepare_cached("SELECT digest, size_bytes FROM chunks WHERE vault_id = ?1")?;
    let sizes =
        statement.query_map([vault], |row| Ok((Digest(row.get(0)?), number_at(row, 1)?)))?;
    sizes.collect()
}

pub(super) fn manifest(
    connection: &Connection,
    query: &ManifestQuery,
) -> rusqlite::Result<Judged<Option<StoredManifest>>> {
    let snapshot =
        rusqlite::Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Deferred)?;
    let Some(vault) = judged(&snapshot, query.member)? else { return Ok(Judged::Moved) };
    let found = snapshot
        .prepare_cached(
            "SELECT cosigner, cosignature, bytes FROM manifests
             WHERE vault_id = ?1 AND digest = ?2",
        )?
        .query_row(params![vault.id, query.digest.as_bytes()], |row| {
            let cosigner: Option<[u8; 16]> = row.get(0)?;
            let cosignature: Option<Vec<u8>> = row.get(1)?;
            let cosigned = cosigner.map(DeviceId).zip(cosignature);
            Ok(StoredManifest { bytes: row.get(2)?, cosigned })
        })
        .optional()?;
    Ok(Judged::Done(found))
}

pub(super) fn cosign(
    connection: &Connection,
    _: &Room,
    plan: &CosignPlan,
) -> rusqlite::Result<Judged<CosignOutcome>> {
    let Some(mut vault) = judged(connection, plan.member)? else { return Ok(Judged::Moved) };
    let place = params![vault.id, plan.digest.as_bytes()];
    let known = connection
        .prepare_cached(
            "SELECT settled, cosigner IS NOT NULL, bytes FROM manifests
             WHERE vault_id = ?1 AND digest = ?2",
        )?
        .query_row(place, |row| {
            let author = parse(row.get(2)?)?.body().author;
            Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?, author))
        })
        .optional()?;
    let outcome = match known {
        None => CosignOutcome::Gone,
        Some((SETTLED, true, _)) => CosignOutcome::Duplicate,
        Some((SETTLED, false, _)) => CosignOutcome::Gone,
        Some((_, _, author)) if author == plan.member.device => CosignOutcome::Refused,
        Some(_) => {
            connection
                .prepare_cached(
                    "UPDATE manifests SET cosigner = ?3, cosignature = ?4
                     WHERE vault_id = ?1 AND digest = ?2",
                )?
                .execute(params![
                    vault.id,
                    plan.digest.as_bytes(),
                    plan.member.device.as_bytes(),
                    plan.signature
                ])?;
            settle(connection, &mut vault)?;
            CosignOutcome::Settled
        }
    };
    Ok(Judged::Done(outcome))
}

/// A vault's only device has nobody who could co-sign: after a while its word is enough.
pub(super) fn settle_if_old(
    connection: &Connection,
    vault: &mut VaultRow,
    member: Seen,
    now_ms: u64,
) -> rusqlite::Result<()> {
    let put_ms: Option<u64> = connection
        .prepare_cached("SELECT put_ms FROM manifests WHERE vault_id = ?1 AND settled = ?2")?
        .query_row([vault.id, CANDIDATE], |row| number_at(row, 0))
        .optional()?;
    if put_ms.is_some_and(|put_ms| is_old_enough(member, put_ms, now_ms)) {
        settle(connection, vault)?;
    }
    Ok(())
}

/// The candidate counts from now on, and what it covers is removed.
fn settle(connection: &Connection, vault: &mut VaultRow) -> rusqlite::Result<()> {
    let Some(candidate) = kept(connection, vault.id, CANDIDATE)? else { return Ok(()) };
    for (device, (number, digest)) in &candidate.body().covers {
        let (id, chain) = match reads::device(connection, vault.id, *device)? {
            Some(known) => known,
            None => (insert_device(connection, vault.id, *device)?, Chain::default()),
        };
        set_chain(connection, id, &settled_chain(chain, *number, *digest))?;
        let place = params![id, to_sql(number.0)];
        let size_bytes: u64 = connection
            .prepare_cached(
                "SELECT coalesce(sum(length(bytes)), 0) FROM segments
                 WHERE device_id = ?1 AND number <= ?2",
            )?
            .query_row(place, |row| number_at(row, 0))?;
        connection
            .prepare_cached("DELETE FROM segments WHERE device_id = ?1 AND number <= ?2")?
            .execute(place)?;
        vault.log_bytes = vault.log_bytes.saturating_sub(size_bytes);
        vault.used_bytes = vault.used_bytes.saturating_sub(size_bytes);
    }
    remove(connection, vault, SETTLED)?;
    connection
        .prepare_cached("UPDATE manifests SET settled = 1, covered_bytes = 0 WHERE vault_id = ?1")?
        .execute([vault.id])?;
    drop_unnamed(connection, vault)?;
    set_sizes(connection, vault)
}

fn remove(connection: &Connection, vault: &mut VaultRow, settled: i64) -> rusqlite::Result<()> {
    let size_bytes: u64 = connection
        .prepare_cached(
            "SELECT coalesce(sum(length(bytes)), 0) FROM manifests
             WHERE vault_id = ?1 AND settled = ?2",
        )?
        .query_row([vault.id, settled], |row| number_at(row, 0))?;
    vault.used_bytes = vault.used_bytes.saturating_sub(size_bytes);
    connection
        .prepare_cached("DELETE FROM manifests WHERE vault_id = ?1 AND settled = ?2")?
        .execute([vault.id, settled])?;
    Ok(())
}

/// Removes the chunks that no manifest names.
fn drop_unnamed(connection: &Connection, vault: &mut VaultRow) -> rusqlite::Result<()> {
    let named = named_chunks(&manifests(connection, vault.id)?);
    for (digest, size_bytes) in sizes(connection, vault.id)? {
        if !named.contains(&digest) {
            connection
                .prepare_cached("DELETE FROM chunks WHERE vault_id = ?1 AND digest = ?2")?
                .execute(params![vault.id, digest.as_bytes()])?;
            vault.used_bytes = vault.used_bytes.saturating_sub(size_bytes);
        }
    }
    Ok(())
}
