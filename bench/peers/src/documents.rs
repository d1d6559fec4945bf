//! The document libraries, one document a record.

use automerge::transaction::Transactable;
use automerge::{ActorId, AutoCommit, ROOT, ReadDoc, ScalarValue};
use loro::{ExportMode, LoroDoc, LoroValue};
use serde_json::{Map, Value};
use yrs::updates::decoder::Decode;
use yrs::{Any, Doc, Map as _, ReadTxn, StateVector, Transact, Update};

use crate::peer::{Peer, Stored};
use crate::shape::{Edit, FIELDS};

fn blob(state: Vec<u8>) -> Stored {
    Stored { body: Vec::new(), state }
}

/// automerge: a document is a log of columnar changes.
pub struct Automerge(ActorId);

fn scalar(value: &Value) -> ScalarValue {
    match value {
        Value::Bool(bool) => ScalarValue::Boolean(*bool),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => ScalarValue::Int(integer),
            None => ScalarValue::F64(number.as_f64().unwrap_or(0.0)),
        },
        other => ScalarValue::Str(other.as_str().unwrap_or("").into()),
    }
}

impl Peer for Automerge {
    const NAME: &'static str = "automerge 0.12.0";
    type Open = AutoCommit;

    fn new(replica: usize) -> Self {
        Self(ActorId::from([replica as u8 + 1; 16]))
    }

    fn create(&mut self, _: usize, map: &Map<String, Value>) -> (Stored, Vec<u8>) {
        let mut doc = AutoCommit::new().with_actor(self.0.clone());
        for (field, value) in map {
            doc.put(ROOT, field.as_str(), scalar(value)).expect("a put");
        }
        let delta = doc.get_last_local_change().expect("a change").raw_bytes().to_vec();
        (blob(doc.save()), delta)
    }

    fn edit(&mut self, stored: &Stored, edit: &Edit) -> (Stored, Vec<u8>) {
        let mut doc = AutoCommit::load(&stored.state).expect("a document");
        doc = doc.with_actor(self.0.clone());
        doc.put(ROOT, edit.field, scalar(&edit.value)).expect("a put");
        let delta = doc.get_last_local_change().expect("a change").raw_bytes().to_vec();
        (blob(doc.save()), delta)
    }

    fn merge(&mut self, _: usize, stored: &Stored, delta: &[u8]) -> Stored {
        let mut doc = AutoCommit::load(&stored.state).expect("a document");
        doc.load_incremental(delta).expect("a change");
        blob(doc.save())
    }

    fn open(stored: &Stored) -> AutoCommit {
        AutoCommit::load(&stored.state).expect("a document")
    }

    fn show(stored: &Stored) -> Vec<String> {
        let doc = Self::open(stored);
        let value = |field: &&str| doc.get(ROOT, *field).expect("a document").map(|(v, _)| v);
        FIELDS.iter().map(|field| format!("{:?}", value(field))).collect()
    }
}

/// loro: a document is a snapshot with its history.
pub struct Loro(u64);

impl Peer for Loro {
    const NAME: &'static str = "loro 1.17.1";
    type Open = LoroDoc;

    fn new(replica: usize) -> Self {
        Self(0x5eed_0000_0000_0001 + replica as u64)
    }

    fn create(&mut self, _: usize, map: &Map<String, Value>) -> (Stored, Vec<u8>) {
        let doc = LoroDoc::new();
        doc.set_peer_id(self.0).expect("a peer");
        let fields = doc.get_map("r");
        for (field, value) in map {
            fields.insert(field, LoroValue::from(value.clone())).expect("an insert");
        }
        doc.commit();
        let delta = doc.export(ExportMode::all_updates()).expect("updates");
        (blob(doc.export(ExportMode::Snapshot).expect("a snapshot")), delta)
    }

    fn edit(&mut self, stored: &Stored, edit: &Edit) -> (Stored, Vec<u8>) {
        let doc = Self::open(stored);
        doc.set_peer_id(self.0).expect("a peer");
        let before = doc.oplog_vv();
        let value = LoroValue::from(edit.value.clone());
        doc.get_map("r").insert(edit.field, value).expect("an insert");
        doc.commit();
        let delta = doc.export(ExportMode::updates(&before)).expect("updates");
        (blob(doc.export(ExportMode::Snapshot).expect("a snapshot")), delta)
    }

    fn merge(&mut self, _: usize, stored: &Stored, delta: &[u8]) -> Stored {
        let doc = Self::open(stored);
        doc.import(delta).expect("updates");
        blob(doc.export(ExportMode::Snapshot).expect("a snapshot"))
    }

    fn open(stored: &Stored) -> LoroDoc {
        LoroDoc::from_snapshot(&stored.state).expect("a snapshot")
    }

    fn show(stored: &Stored) -> Vec<String> {
        let fields = Self::open(stored).get_map("r").get_deep_value();
        let value = |field: &&str| match &fields {
            LoroValue::Map(map) => map.get(*field).cloned(),
            _ => None,
        };
        FIELDS.iter().map(|field| format!("{:?}", value(field))).collect()
    }
}

/// yrs: a document is one update that holds all of it.
pub struct Yrs(u64);

fn any(value: &Value) -> Any {
    match value {
        Value::Bool(bool) => Any::Bool(*bool),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Any::Number(integer.into()),
            None => Any::Number(number.as_f64().unwrap_or(0.0).into()),
        },
        other => Any::String(other.as_str().unwrap_or("").into()),
    }
}

fn yrs_open(client: u64, stored: &Stored) -> Doc {
    let doc = Doc::with_client_id(client);
    let update = Update::decode_v1(&stored.state).expect("an update");
    doc.transact_mut().apply_update(update).expect("an update");
    doc
}

impl Peer for Yrs {
    const NAME: &'static str = "yrs 0.28.1";
    type Open = Doc;

    fn new(replica: usize) -> Self {
        Self(0x2eed_0001 + replica as u64)
    }

    fn create(&mut self, _: usize, map: &Map<String, Value>) -> (Stored, Vec<u8>) {
        let doc = Doc::with_client_id(self.0);
        let fields = doc.get_or_insert_map("r");
        let mut txn = doc.transact_mut();
        for (field, value) in map {
            fields.insert(&mut txn, field.as_str(), any(value));
        }
        let stored = blob(txn.encode_state_as_update_v1(&StateVector::default()));
        (stored, txn.encode_update_v1())
    }

    fn edit(&mut self, stored: &Stored, edit: &Edit) -> (Stored, Vec<u8>) {
        let doc = yrs_open(self.0, stored);
        let fields = doc.get_or_insert_map("r");
        let mut txn = doc.transact_mut();
        fields.insert(&mut txn, edit.field, any(&edit.value));
        let delta = txn.encode_update_v1();
        drop(txn);
        let saved = doc.transact().encode_state_as_update_v1(&StateVector::default());
        (blob(saved), delta)
    }

    fn merge(&mut self, _: usize, stored: &Stored, delta: &[u8]) -> Stored {
        let doc = yrs_open(self.0, stored);
        let update = Update::decode_v1(delta).expect("an update");
        doc.transact_mut().apply_update(update).expect("an update");
        let saved = doc.transact().encode_state_as_update_v1(&StateVector::default());
        blob(saved)
    }

    fn open(stored: &Stored) -> Doc {
        yrs_open(1, stored)
    }

    fn show(stored: &Stored) -> Vec<String> {
        let doc = yrs_open(1, stored);
        let fields = doc.get_or_insert_map("r");
        let txn = doc.transact();
        FIELDS.iter().map(|field| format!("{:?}", fields.get(&txn, field))).collect()
    }
}
