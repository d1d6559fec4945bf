//! Conflicts that a machine answers: an app's callback, what a person has answered before, and the
//! deadline when nobody has.

use selkie_core::change::Operation;
use selkie_core::merge::{CollectionPolicy, Conflict, ConflictKind, settle, settle_with};
use selkie_core::record::{FieldType, Path, RecordKey, Schema};
use selkie_wire::{DeviceId, Digest};
use serde_json::{Value, json};

use super::database::Database;
use super::transaction::Transaction;
use crate::status::{OpenConflict, Preference, Suggestion};
use crate::watch::Event;
use crate::{Error, Resolution};

/// The replicated system collection that counts how a person has answered.
pub(super) const PREFERENCE_COLLECTION: &str = "_preference";
/// Answers of a person before theirs are given in their stead.
const LEARNED_ANSWERS_MIN: u64 = 5;
/// In so many of ten they must have been alike.
const LEARNED_SHARE_TENTHS: u64 = 9;
/// A conflict is settled this part of its time before its deadline, so that it is over by then.
const SETTLED_BEFORE_PARTS: u64 = 24;
/// Devices spread over this part of the time, so that mostly one of them writes.
const SPREAD_PARTS: u64 = 28;

/// How an answer relates to the others; what is counted.
const ANSWERS: [&str; 5] = ["newest", "oldest", "kept", "deleted", "other"];

/// An app's callback for a custom policy: an answer, or none for now.
pub(crate) type Resolver = dyn Fn(&OpenConflict) -> Option<Resolution> + Send + Sync;

impl Database {
    /// Writes a machine's answer, if the conflict is still the one that was answered. Whether it was.
    pub(crate) fn settle(
        &mut self,
        device: DeviceId,
        open: &OpenConflict,
        answer: &Answer,
        now_ms: u64,
    ) -> Result<Vec<Event>, Error> {
        let key = RecordKey::new(open.collection.as_str(), open.id.as_str())?;
        let ((), events) = self.write(device, now_ms, |transaction| {
            transaction.resolve(&key, |stored, shown| {
                let same = shown.conflicts.iter().find(|conflict| **conflict == open.conflict);
                let operations =
                    same.map(|conflict| answer.operations(&stored.registers, conflict));
                Ok(operations.unwrap_or_default())
            })
        })?;
        Ok(events)
    }

    /// What a person has answered so far.
    pub(crate) fn preferences(&mut self) -> Result<Vec<Preference>, Error> {
        let records = self.list_records(PREFERENCE_COLLECTION, &crate::Page::default())?;
        Ok(records
            .into_iter()
            .map(|record| {
                let answers = ANSWERS.into_iter().filter_map(|answer| {
                    let count = record.document.get(answer)?.as_u64()?;
                    (count > 0).then(|| (answer.to_owned(), count))
                });
                Preference { answers: answers.collect(), id: record.id }
            })
            .collect())
    }

    /// Fills in what a person would probably answer.
    pub(super) fn suggest(
        &mut self,
        collection: &str,
        conflict: &Conflict,
    ) -> Result<Option<Suggestion>, Error> {
        let id = preference_id(collection, conflict);
        let Some(record) = self.read_record(PREFERENCE_COLLECTION, &id)? else { return Ok(None) };
        let count = |answer: &str| record.document.get(answer).and_then(Value::as_u64).unwrap_or(0);
        let of = ANSWERS.into_iter().map(count).sum();
        let best = (0..conflict.sides.len())
            .map(|side| (count(answer_of(conflict, side)), side))
            .filter(|(support, _)| *support > 0)
            .max_by_key(|(support, side)| (*support, core::cmp::Reverse(*side)));
        Ok(best.map(|(support, side)| Suggestion {
            side,
            answer: answer_of(conflict, side).to_owned(),
            support,
            of,
        }))
    }
}

/// The schema of the preferences: what two devices count adds up.
pub(super) fn counting_answers() -> Schema {
    let fields = ANSWERS.into_iter().filter_map(Path::parse);
    let fields = fields.map(|path| (path, FieldType::Counter)).collect();
    Schema { fields, ..Schema::default() }
}

/// Counts a person's answer, in the transaction that gives it.
pub(super) fn learn(
    transaction: &Transaction<'_>,
    collection: &str,
    conflict: &Conflict,
    resolution: &Resolution,
) -> Result<(), Error> {
    let answer = match resolution {
        Resolution::Side(side) => answer_of(conflict, *side),
        Resolution::Value(_) => "other",
    };
    let preferences = transaction.system_collection(PREFERENCE_COLLECTION);
    let id = preference_id(collection, conflict);
    let mut counts = preferences.get(&id)?.map_or_else(|| json!({}), |record| record.document);
    let count = counts.get(answer).and_then(Value::as_u64).unwrap_or(0);
    if let Some(counts) = counts.as_object_mut() {
        counts.insert(answer.to_owned(), (count + 1).into());
    }
    preferences.put(&id, &counts)?;
    Ok(())
}

/// Where alike conflicts are counted together: collection, field and kind.
fn preference_id(collection: &str, conflict: &Conflict) -> String {
    let id = format!("{collection}/{}/{}", conflict.path, conflict.kind.name());
    if id.len() <= selkie_core::limits::RECORD_ID_BYTES_MAX && !id.contains(char::is_control) {
        id
    } else {
        format!("#{}", Digest::of(id.as_bytes()))
    }
}

fn answer_of(conflict: &Conflict, side: usize) -> &'static str {
    use selkie_core::merge::SideContent;
    let last = conflict.sides.len().saturating_sub(1);
    match conflict.sides.get(side).map(|side| &side.content) {
        Some(SideContent::Kept) => "kept",
        Some(SideContent::Deleted) => "deleted",
        Some(_) if side == last => "newest",
        Some(_) if side == 0 => "oldest",
        _ => "other",
    }
}

/// A machine's answer, and why.
pub(crate) enum Answer {
    Side(usize, &'static str),
    Value(Value, &'static str),
}

impl Answer {
    fn operations(
        &self,
        registers: &selkie_core::change::Registers,
        conflict: &Conflict,
    ) -> Vec<Operation> {
        match self {
            Self::Side(side, why) => settle(registers, conflict, *side, why),
            // A value that cannot stand there answers nothing; the person is still asked.
            Self::Value(value, why) => {
                settle_with(registers, conflict, value.clone(), why).unwrap_or_default()
            }
        }
    }
}

/// What a machine answers to a conflict now, if anything. Called without the store in hand, since an
/// app's callback may well ask the vault something.
pub(crate) fn answer(
    open: &OpenConflict,
    policy: &CollectionPolicy,
    device: DeviceId,
    resolver: Option<&Resolver>,
    now_ms: u64,
) -> Option<Answer> {
    if open.conflict.kind != ConflictKind::EditVsDelete {
        match resolver.and_then(|resolver| resolver(open)) {
            Some(Resolution::Side(side)) => return Some(Answer::Side(side, "custom")),
            Some(Resolution::Value(value)) => return Some(Answer::Value(value, "custom")),
            None => {}
        }
    }
    if let Some(suggestion) = &open.suggestion {
        let often = suggestion.of >= LEARNED_ANSWERS_MIN;
        let alike = suggestion.support * 10 >= suggestion.of * LEARNED_SHARE_TENTHS;
        if policy.learned && often && alike {
            return Some(Answer::Side(suggestion.side, "learned"));
        }
    }
    let due = now_ms >= settle_at(open, policy, device);
    due.then_some(Answer::Side(open.conflict.shown, "deadline"))
}

/// When this device settles a conflict: shortly before its deadline, each device at another moment.
fn settle_at(open: &OpenConflict, policy: &CollectionPolicy, device: DeviceId) -> u64 {
    let before = policy.deadline_ms / SETTLED_BEFORE_PARTS;
    let spread = (policy.deadline_ms / SPREAD_PARTS).max(1);
    let place = [&device.0[..], open.collection.as_bytes(), open.id.as_bytes()].concat();
    let Digest(digest) = Digest::of(&place);
    let jitter =
        digest.iter().take(8).fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte)) % spread;
    let latest = open.since_ms.saturating_add(policy.deadline_ms);
    latest.saturating_sub(before).saturating_add(jitter)
}
