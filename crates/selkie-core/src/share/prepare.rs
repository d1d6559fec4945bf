//! Prepare: walks a record along a policy's rules; what no rule names is counted and left behind.

use serde_json::{Map, Value};

use super::canonical_json;
use super::policy::{Epsilon, SharePolicy, Tree};
use super::prepared::{Dropped, PrepareError, Prepared};
use super::transform::{Outcome, Stop, Work};
use crate::keys::UserShareKey;
use crate::ports::RandomSource;

impl SharePolicy {
    /// Makes of one record the payload that may be sent, if there is consent for it.
    ///
    /// `spent` is what earlier payloads under the same grant have taken of the budget of noise. The time,
    /// in milliseconds since 1970, picks the epoch of pseudonyms that rotate. The same arguments give
    /// the same bytes; only `noise` rules draw from `random`.
    ///
    /// # Errors
    /// [`PrepareError`]; nothing may be sent then.
    ///
    /// ```
    /// use selkie_core::keys::UserShareKey;
    /// use selkie_core::ports::{RandomError, RandomSource};
    /// use selkie_core::share::{Epsilon, SharePolicy};
    /// # struct NoNoise;
    /// # impl RandomSource for NoNoise {
    /// #     fn fill(&mut self, _: &mut [u8]) -> Result<(), RandomError> { Err(RandomError) }
    /// # }
    /// # let random = &mut NoNoise;
    /// let policy = SharePolicy::parse(r#"
    ///     [share.stats]
    ///     from = "usage"
    ///     purpose = "improve"
    ///     destination = "lab"
    ///     categories = ["interaction"]
    ///     size_bytes_max = 1024
    ///     expires_days = 30
    ///     field = [{ path = "ms", bin = [100, 1000] }]
    /// "#)?;
    /// let key = UserShareKey::from_bytes([7; 32]);
    /// let record = serde_json::json!({"ms": 250, "user": {"email": "anna@example.com"}});
    /// let prepared = policy.prepare(&record, &key, Epsilon::ZERO, 1_764_000_000_000, random)?;
    /// assert_eq!(prepared.payload(), br#"{"ms":"100..1000"}"#);
    /// assert_eq!(prepared.dropped().unlisted, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn prepare(
        &self,
        record: &Value,
        key: &UserShareKey,
        spent: Epsilon,
        now_ms: u64,
        random: &mut dyn RandomSource,
    ) -> Result<Prepared, PrepareError> {
        if !record.is_object() {
            return Err(PrepareError::NotAnObject);
        }
        let left = self.epsilon_lifetime().saturating_sub(spent);
        let work = Work {
            key,
            destination: self.destination(),
            purpose: self.purpose(),
            now_ms,
            random,
            left,
            spent: Epsilon::ZERO,
        };
        let mut walk = Walk { work, dropped: Dropped::default() };
        let sent = walk.value(self.tree(), record).map_err(|stop| match stop {
            Stop::Budget(needed) => PrepareError::BudgetSpent { needed, left },
            Stop::Random => PrepareError::Random,
        })?;
        let payload = canonical_json::to_text(&sent.ok_or(PrepareError::NothingLeft)?).into_bytes();
        let (size_bytes, size_bytes_max) = (payload.len(), self.size_bytes_max());
        if size_bytes > size_bytes_max {
            return Err(PrepareError::PayloadTooLong { size_bytes, size_bytes_max });
        }
        Ok(Prepared {
            dataset: self.dataset().to_owned(),
            purpose: self.purpose().to_owned(),
            destination: self.destination().to_owned(),
            policy_hash: self.hash(),
            categories: self.categories().to_vec(),
            payload,
            dropped: walk.dropped,
            epsilon_spent: walk.work.spent,
        })
    }
}

struct Walk<'a> {
    work: Work<'a>,
    dropped: Dropped,
}

impl Walk<'_> {
    /// What is sent of a value; `None` if nothing is. As deep as the rules, however deep the record.
    fn value(&mut self, tree: &Tree, value: &Value) -> Result<Option<Value>, Stop> {
        if let Some(transform) = &tree.transform {
            match transform.apply(value, &mut self.work) {
                Outcome::Send(value) => return Ok(Some(value)),
                Outcome::UnknownType => self.dropped.unknown_type += 1,
                Outcome::NotAllowed => self.dropped.not_allowed += 1,
                Outcome::Removed => self.dropped.by_rule += 1,
                Outcome::Stop(stop) => return Err(stop),
            }
            return Ok(None);
        }
        match (value, &tree.each) {
            (Value::Object(map), None) => self.object(tree, map),
            (Value::Array(items), Some(each)) => {
                let mut sent = Vec::new();
                for item in items {
                    sent.extend(self.value(each, item)?);
                }
                Ok((!sent.is_empty()).then_some(Value::Array(sent)))
            }
            _ => {
                self.dropped.unknown_type += 1;
                Ok(None)
            }
        }
    }

    fn object(&mut self, tree: &Tree, map: &Map<String, Value>) -> Result<Option<Value>, Stop> {
        let listed = tree.keys.iter().filter(|(key, _)| map.contains_key(*key)).count();
        let unlisted = u64::try_from(map.len() - listed).unwrap_or(u64::MAX);
        if tree.is_map {
            self.dropped.map_keys += unlisted;
        } else {
            self.dropped.unlisted += unlisted;
        }
        let mut sent = Map::new();
        // In the order of the rules, not of the record: noise is drawn in the same order everywhere.
        for (key, below) in &tree.keys {
            let Some(value) = map.get(key) else { continue };
            if let Some(value) = self.value(below, value)? {
                sent.insert(key.clone(), value);
            }
        }
        Ok((!sent.is_empty()).then_some(Value::Object(sent)))
    }
}
