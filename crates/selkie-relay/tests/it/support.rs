//! A person's vault and devices, and a client that speaks the protocol byte by byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ed25519_dalek::{Signer, SigningKey};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use selkie_relay::{Background, Clock, Config};
use selkie_wire::envelope::{SEGMENT_SIGNATURE_LABEL, SUITE_1, signature_message};
use selkie_wire::ids::RosterNumber;
use selkie_wire::relay::{
    AUTH_SIGNATURE_LABEL, ChallengeRequest, ChallengeResponse, PullRequest, PullResponse,
    PushOutcome, PushRequest, PushResponse, RosterEntries, RosterHead, TokenRequest, TokenResponse,
    WaitRequest, auth_bytes,
};
use selkie_wire::roster::{
    DeviceKeys, MEMBER_SIGNATURE_LABEL, Operation, RECOVERY_SIGNATURE_LABEL,
    ROSTER_SIGNATURE_LABEL, RecoveryKeys, RecoveryProof, Rotation,
};
use selkie_wire::{
    Cursor, DeviceId, Digest, EnvelopeType, Header, KeyId, RelayEpoch, Roster, RosterEntry,
    SegmentNumber, VaultId, cbor,
};

fn sign(key: &SigningKey, label: &[u8], bytes: &[u8]) -> [u8; 64] {
    key.sign(&signature_message(label, bytes)).to_bytes()
}

/// The key of some recovery words.
pub fn recovery_signer(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed ^ 0x20; 32])
}

/// The public side of the recovery words of this seed, for a vault with this admin key.
pub fn recovery_keys(admin_key: &[u8; 32], seed: u8) -> RecoveryKeys {
    let (key, kem_key) = (recovery_signer(seed), vec![seed; 32]);
    let bytes = RecoveryKeys::proof_bytes(admin_key, &kem_key);
    let signature = sign(&key, RECOVERY_SIGNATURE_LABEL, &bytes);
    let proof = Some(RecoveryProof { key: key.verifying_key().to_bytes(), signature });
    RecoveryKeys { kem_key, sealed_admin_key: vec![seed; 48], proof }
}

/// A vault as its owner knows it.
#[derive(Clone)]
pub struct Vault {
    admin: SigningKey,
    pub roster: Roster,
    pub entries: Vec<Vec<u8>>,
}

impl Vault {
    /// A vault without devices; another for every seed.
    pub fn new(seed: u8) -> Self {
        let admin = SigningKey::from_bytes(&[seed; 32]);
        let admin_key = admin.verifying_key().to_bytes();
        let recovery = recovery_keys(&admin_key, seed);
        let operation = Operation::Genesis { admin_key, recovery };
        let genesis = Self::entry(&admin, None, &operation);
        let roster = Roster::from_entries([genesis.clone()]).unwrap();
        Self { admin, roster, entries: vec![genesis] }
    }

    /// A vault with two devices.
    pub fn with_two(seed: u8) -> (Self, Device, Device) {
        let mut vault = Self::new(seed);
        let (phone, laptop) = (vault.add(seed ^ 0x40), vault.add(seed ^ 0x80));
        (vault, phone, laptop)
    }

    fn entry(admin: &SigningKey, roster: Option<&Roster>, operation: &Operation) -> Vec<u8> {
        let (vault, number, previous) = match roster {
            Some(roster) => {
                (roster.vault(), RosterNumber(roster.last().0 + 1), roster.last_digest())
            }
            None => (VaultId([0; 32]), RosterNumber(0), Digest([0; 32])),
        };
        let unsigned = RosterEntry::unsigned_bytes(vault, number, previous, operation);
        let signature = sign(admin, ROSTER_SIGNATURE_LABEL, &unsigned);
        [&unsigned[..], &signature].concat()
    }

    /// The next entry, properly signed, whether it would count or not.
    pub fn forge(&self, operation: &Operation) -> Vec<u8> {
        Self::entry(&self.admin, Some(&self.roster), operation)
    }

    pub fn append(&mut self, operation: &Operation) {
        let bytes = Self::entry(&self.admin, Some(&self.roster), operation);
        self.roster.apply(&RosterEntry::parse(bytes.clone()).unwrap()).unwrap();
        self.entries.push(bytes);
    }

    pub fn add(&mut self, seed: u8) -> Device {
        let signing = SigningKey::from_bytes(&[seed; 32]);
        let auth = SigningKey::from_bytes(&[!seed; 32]);
        let keys = DeviceKeys {
            signing_key: signing.verifying_key().to_bytes(),
            auth_key: auth.verifying_key().to_bytes(),
            kem_key: vec![seed; 32],
        };
        let consent = sign(&signing, MEMBER_SIGNATURE_LABEL, &keys.consent_bytes(self.id()));
        let id = keys.device_id();
        self.append(&Operation::Add { keys, consent });
        let last = self.roster.last_digest();
        Device { vault: self.id(), id, signing, auth, number: 0, last }
    }

    pub fn revoke(&mut self, device: &Device) {
        let epoch = self.roster.rotations().len() as u32;
        let rotation = Rotation {
            epoch,
            suite: SUITE_1,
            key_id: KeyId([epoch as u8 + 1; 32]),
            wraps: Vec::new(),
            recovery_wrap: Vec::new(),
            previous_key: if epoch == 0 { Vec::new() } else { vec![3; 8] },
        };
        let (last, last_digest) = (SegmentNumber(device.number), device.last);
        self.append(&Operation::Revoke {
            device: device.id,
            last,
            last_digest,
            rotation,
            chains: None,
        });
    }

    pub fn raise_version(&mut self) {
        self.append(&Operation::MinVersion { version: self.roster.min_version() + 1 });
    }

    pub fn id(&self) -> VaultId {
        self.roster.vault()
    }
}

/// A device, and the end of its chain.
#[derive(Clone)]
pub struct Device {
    pub vault: VaultId,
    pub id: DeviceId,
    signing: SigningKey,
    auth: SigningKey,
    pub number: u64,
    pub last: Digest,
}

impl Device {
    pub fn header(&self, len: usize) -> Header {
        Header {
            envelope_type: EnvelopeType::Segment,
            vault: self.vault,
            device: self.id,
            number: SegmentNumber(self.number + 1),
            previous: self.last,
            roster: RosterNumber(1),
            key_id: KeyId([5; 32]),
            nonce: [6; 24],
            ciphertext_len: len as u32,
        }
    }

    /// Signs any header; the "ciphertext" is as good as any to a relay.
    pub fn sign_envelope(&self, header: &Header, fill: u8) -> Vec<u8> {
        let len = header.ciphertext_len as usize;
        let unsigned = [&header.to_bytes()[..], &vec![fill; len]].concat();
        let signature = sign(&self.signing, SEGMENT_SIGNATURE_LABEL, &unsigned);
        [&unsigned[..], &signature].concat()
    }

    /// The next envelope of the chain.
    pub fn seal(&mut self, len: usize) -> Vec<u8> {
        let bytes = self.sign_envelope(&self.header(len), 0x5a);
        self.number += 1;
        self.last = Digest::of(&bytes);
        bytes
    }

    pub fn seal_many(&mut self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.seal(100)).collect()
    }

    pub fn token_request(&self, origin: &str, challenge: Vec<u8>) -> TokenRequest {
        let bytes = auth_bytes(origin, self.vault, self.id, &challenge);
        let signature = sign(&self.auth, AUTH_SIGNATURE_LABEL, &bytes).to_vec();
        let origin = origin.to_owned();
        TokenRequest { vault: self.vault, device: self.id, challenge, origin, signature }
    }
}

/// An answer, whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// All but `date`, sorted.
    pub headers: Vec<(String, String)>,
    pub bytes: Vec<u8>,
}

impl Reply {
    /// The message, if all is well.
    pub fn message<T: for<'b> Decode<'b, ()>>(&self) -> T {
        assert!(self.status == 200 || self.status == 201, "{self}");
        assert_eq!(self.header("content-type"), Some("application/cbor"));
        cbor::decode(&self.bytes).unwrap()
    }

    /// Status and code of a problem, whose form is checked.
    pub fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self}");
        let json: serde_json::Value = serde_json::from_slice(&self.bytes).unwrap();
        let code = json["code"].as_str().unwrap().to_owned();
        assert_eq!(json["type"], format!("urn:selkie:problem:{code}"));
        assert_eq!(json["status"], self.status);
        assert!(json["title"].is_string() && json["detail"].is_string());
        (self.status, code)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.bytes))
    }
}

/// Speaks to one relay.
#[derive(Clone)]
pub struct Client {
    pub url: String,
    agent: ureq::Agent,
}

impl Client {
    pub fn new(url: String) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)));
        Self { url, agent: config.build().into() }
    }

    /// Sends any request; an error is a connection that broke.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &[u8],
    ) -> Result<Reply, ureq::Error> {
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut response = if matches!(method, "GET" | "DELETE") {
            self.agent.run(request.body(()).unwrap())?
        } else {
            self.agent.run(request.body(body).unwrap())?
        };
        let headers = response.headers().iter().filter(|(name, _)| *name != "date");
        let mut headers: Vec<_> = headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        headers.sort();
        let status = response.status().as_u16();
        let bytes = response.body_mut().with_config().limit(32 << 20).read_to_vec()?;
        Ok(Reply { status, headers, bytes })
    }

    pub fn post<T: Encode<()>>(&self, path: &str, token: Option<&str>, message: &T) -> Reply {
        self.send("POST", path, token, &cbor::encode(message)).unwrap()
    }

    pub fn post_entries(&self, path: &str, token: Option<&str>, entries: &[Vec<u8>]) -> Reply {
        let entries = entries.iter().cloned().map(ByteVec::from).collect();
        self.post(path, token, &RosterEntries { entries })
    }

    pub fn create(&self, vault: &Vault) -> RosterHead {
        self.post_entries("/v1/vaults", None, &vault.entries).message()
    }

    pub fn challenge(&self, vault: VaultId, device: DeviceId) -> Vec<u8> {
        let request = ChallengeRequest { vault, device };
        self.post("/v1/challenge", None, &request).message::<ChallengeResponse>().challenge
    }

    /// The whole way from auth key to token.
    pub fn try_token(&self, device: &Device) -> Reply {
        let challenge = self.challenge(device.vault, device.id);
        self.post("/v1/token", None, &device.token_request(&self.url, challenge))
    }

    pub fn token(&self, device: &Device) -> String {
        let token = self.try_token(device).message::<TokenResponse>().token;
        token.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn member(&self, device: &Device) -> Member {
        let token = self.token(device);
        Member { client: self.clone(), vault: device.vault, token }
    }
}

/// A client with a token.
#[derive(Clone)]
pub struct Member {
    pub client: Client,
    pub vault: VaultId,
    pub token: String,
}

impl Member {
    pub fn path(&self, end: &str) -> String {
        format!("/v1/vaults/{}/{end}", self.vault)
    }

    pub fn send(&self, method: &str, end: &str, body: &[u8]) -> Reply {
        self.client.send(method, &self.path(end), Some(&self.token), body).unwrap()
    }

    pub fn try_push(&self, envelopes: &[Vec<u8>]) -> Reply {
        let envelopes = envelopes.iter().cloned().map(ByteVec::from).collect();
        self.client.post(
            &self.path("push"),
            Some(&self.token),
            &PushRequest { envelopes, incarnation: None },
        )
    }

    pub fn push(&self, envelopes: &[Vec<u8>]) -> PushResponse {
        self.try_push(envelopes).message()
    }

    pub fn outcomes(&self, envelopes: &[Vec<u8>]) -> Vec<PushOutcome> {
        self.push(envelopes).outcomes
    }

    pub fn try_pull(&self, epoch: Option<RelayEpoch>, cursor: u64) -> Reply {
        let request = PullRequest { epoch, cursor: Cursor(cursor), incarnation: None };
        self.client.post(&self.path("pull"), Some(&self.token), &request)
    }

    pub fn pull(&self, epoch: Option<RelayEpoch>, cursor: u64) -> PullResponse {
        self.try_pull(epoch, cursor).message()
    }

    /// Everything others sent, page by page.
    pub fn wait(&self, request: &WaitRequest) -> Reply {
        self.send("POST", "wait", &cbor::encode(request))
    }

    pub fn pull_all(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let (mut epoch, mut cursor) = (None, 0);
        loop {
            let page = self.pull(epoch, cursor);
            (epoch, cursor) = (Some(page.epoch), page.cursor.0);
            all.extend(page.envelopes.into_iter().map(Vec::from));
            if !page.more {
                return all;
            }
        }
    }

    pub fn roster(&self, from: u64) -> Vec<Vec<u8>> {
        let reply = self.send("GET", &format!("roster?from={from}"), &[]);
        reply.message::<RosterEntries>().entries.into_iter().map(Vec::from).collect()
    }

    pub fn extend(&self, entries: &[Vec<u8>]) -> Reply {
        self.client.post_entries(&self.path("roster"), Some(&self.token), entries)
    }
}

/// A clock that a test moves.
#[derive(Clone, Default)]
pub struct Time(Arc<AtomicU64>);

impl Time {
    pub fn clock(&self) -> Clock {
        let now = Arc::clone(&self.0);
        Clock::from_fn(move || now.load(Ordering::SeqCst))
    }

    pub fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

/// A relay with its data in memory, and a client for it.
pub fn relay() -> (Background, Client) {
    relay_with(|_| {})
}

pub fn relay_with(change: impl FnOnce(&mut Config)) -> (Background, Client) {
    let mut config = Config::in_memory();
    change(&mut config);
    start(config)
}

pub fn start(config: Config) -> (Background, Client) {
    let relay = Background::start(config).unwrap();
    let client = Client::new(relay.url());
    (relay, client)
}

pub fn code(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
