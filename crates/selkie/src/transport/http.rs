//! HTTP to a relay (`docs/PROTOCOL.md`), by ureq and rustls.

use std::borrow::Borrow;
use std::time::Duration;

use minicbor::{Decode, Encode};
use selkie_core::keys::{DeviceSecrets, RecoveryCode};
use selkie_wire::ids::RosterNumber;
use selkie_wire::limits::{RESPONSE_BYTES_MAX, ROSTER_ENTRIES_MAX};
use selkie_wire::relay::{
    ChallengeRequest, ChallengeResponse, HealthResponse, MEDIA_TYPE, PullRequest, PullResponse,
    PushRequest, PushResponse, RecoverRequest, RosterEntries, RosterHead, TokenRequest,
    TokenResponse, WaitRequest, WaitResponse, origin_of, problem_code,
};
use selkie_wire::{MailboxId, VaultId, cbor};
use ureq::Agent;
use ureq::http::Response;

use super::{Transport, TransportError, Waited};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A whole request; a page of a mebibyte passes in it at 100 kbit/s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);

/// A relay over HTTP.
pub(crate) struct Http<D> {
    client: Client,
    vault: VaultId,
    device: D,
    token: Option<String>,
}

/// Pairing mailboxes of a relay; they need no membership.
pub(crate) struct Mailbox {
    client: Client,
    id: MailboxId,
}

/// Requests to one origin, counted.
struct Client {
    agent: Agent,
    base: String,
    origin: String,
    sent_bytes: u64,
    received_bytes: u64,
}

/// An answer's status, and its body within bounds.
struct Answer {
    status: u16,
    date_ms: Option<u64>,
    retry_after_ms: Option<u64>,
    body: Vec<u8>,
}

impl<D: Borrow<DeviceSecrets>> Http<D> {
    pub(crate) fn new(url: &str, vault: VaultId, device: D) -> Result<Self, TransportError> {
        Ok(Self { client: Client::new(url)?, vault, device, token: None })
    }

    /// Proves this device to the relay, once for a while.
    fn token(&mut self) -> Result<String, TransportError> {
        if let Some(token) = &self.token {
            return Ok(token.clone());
        }
        let (vault, device) = (self.vault, self.device.borrow().device_id());
        let asked = ChallengeRequest { vault, device };
        let ChallengeResponse { challenge } = self.client.post("/v1/challenge", None, &asked)?;
        let origin = self.client.origin.clone();
        let signature = self.device.borrow().sign_challenge(&origin, vault, &challenge).to_vec();
        let request = TokenRequest { vault, device, challenge, origin, signature };
        let TokenResponse { token, .. } = self.client.post("/v1/token", None, &request)?;
        let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        self.token = Some(token.clone());
        Ok(token)
    }

    /// A request that needs a token; a token that has run out is renewed once.
    fn with_token<T>(
        &mut self,
        send: impl Fn(&mut Client, &str) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        let renewed = self.token.is_none();
        let token = self.token()?;
        match send(&mut self.client, &token) {
            Err(TransportError::Unknown) if !renewed => {
                self.token = None;
                let token = self.token()?;
                send(&mut self.client, &token)
            }
            other => other,
        }
    }
}

impl<D: Borrow<DeviceSecrets>> Transport for Http<D> {
    fn pull(&mut self, request: &PullRequest) -> Result<PullResponse, TransportError> {
        let path = format!("/v1/vaults/{}/pull", self.vault);
        self.with_token(|client, token| client.post(&path, Some(token), request))
    }

    fn push(&mut self, request: &PushRequest) -> Result<PushResponse, TransportError> {
        let path = format!("/v1/vaults/{}/push", self.vault);
        self.with_token(|client, token| client.post(&path, Some(token), request))
    }

    fn roster(&mut self, from: RosterNumber) -> Result<RosterEntries, TransportError> {
        let path = format!("/v1/vaults/{}/roster?from={from}", self.vault);
        self.with_token(|client, token| client.get(&path, Some(token))?.cbor())
    }

    fn publish_roster(&mut self, entries: &RosterEntries) -> Result<(), TransportError> {
        let _head: RosterHead = self.client.post("/v1/vaults", None, entries)?;
        Ok(())
    }

    fn wait(&mut self, request: &WaitRequest) -> Result<Waited, TransportError> {
        let path = format!("/v1/vaults/{}/wait", self.vault);
        let answer = self.with_token(|client, token| {
            let WaitResponse { news } = client.post(&path, Some(token), request)?;
            Ok(if news { Waited::News } else { Waited::Quiet })
        });
        match answer {
            // A relay from before there was waiting.
            Err(TransportError::NotFound) => Ok(Waited::Unsupported),
            other => other,
        }
    }

    fn traffic_bytes(&self) -> (u64, u64) {
        (self.client.sent_bytes, self.client.received_bytes)
    }
}

/// The roster of the vault that these recovery words belong to.
pub(crate) fn fetch_by_words(
    url: &str,
    code: &RecoveryCode,
) -> Result<Vec<Vec<u8>>, TransportError> {
    let mut client = Client::new(url)?;
    let key = code.proof_public_key();
    let mut entries: Vec<Vec<u8>> = Vec::new();
    loop {
        let asked = RecoverRequest::challenge_for(&key);
        let ChallengeResponse { challenge } = client.post("/v1/challenge", None, &asked)?;
        let origin = client.origin.clone();
        let signature = code.sign_challenge(&origin, &challenge).to_vec();
        let from = RosterNumber(entries.len() as u64);
        let request = RecoverRequest { key, challenge, origin, signature, from };
        let page: RosterEntries = client.post("/v1/recover", None, &request)?;
        if page.entries.is_empty() {
            return Ok(entries);
        }
        entries.extend(page.entries.into_iter().map(Vec::from));
        if entries.len() > ROSTER_ENTRIES_MAX {
            return Err(TransportError::Garbage);
        }
    }
}

impl Mailbox {
    pub(crate) fn new(url: &str, id: MailboxId) -> Result<Self, TransportError> {
        Ok(Self { client: Client::new(url)?, id })
    }

    /// Leaves a message; the same message may be left again.
    pub(crate) fn put(&mut self, slot: u8, message: &[u8]) -> Result<(), TransportError> {
        let path = format!("/v1/mailboxes/{}/{slot}", self.id);
        self.client.put(&path, message)?.accept().map(|_| ()).map_err(|error| match error {
            // The relay's word for a taken slot.
            TransportError::RosterFork => {
                TransportError::Refused("another device answered this code already".to_owned())
            }
            other => other,
        })
    }

    /// A message, if it is there yet.
    pub(crate) fn get(&mut self, slot: u8) -> Result<Option<Vec<u8>>, TransportError> {
        let path = format!("/v1/mailboxes/{}/{slot}", self.id);
        let answer = self.client.get(&path, None)?;
        if answer.status == 404 { Ok(None) } else { answer.accept().map(Some) }
    }

    /// Ends the pairing.
    pub(crate) fn delete(&mut self) -> Result<(), TransportError> {
        let url = format!("{}/v1/mailboxes/{}", self.client.base, self.id);
        let answer = self.client.agent.delete(url).call();
        self.client.read(answer).map(|_| ())
    }
}

/// Whether a relay is there, and what it says of itself.
pub(crate) struct Health {
    pub(crate) protocol: u32,
    /// Its wall time in milliseconds since 1970 (UTC), if it tells.
    pub(crate) date_ms: Option<u64>,
    pub(crate) took: Duration,
}

/// Asks a relay how it is; needs no membership.
pub(crate) fn health(url: &str) -> Result<Health, TransportError> {
    let mut client = Client::new(url)?;
    let started = std::time::Instant::now();
    let answer = client.get("/v1/health", None)?;
    let (took, date_ms) = (started.elapsed(), answer.date_ms);
    let HealthResponse { protocol } = answer.cbor()?;
    Ok(Health { protocol, date_ms, took })
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7), in milliseconds since 1970.
fn parse_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.split(' ').skip(1);
    let day: u64 = parts.next()?.parse().ok().filter(|day| (1..=31).contains(day))?;
    let month = parts.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year: u64 = parts.next()?.parse().ok().filter(|year| (1970..10_000).contains(year))?;
    let mut time = parts.next()?.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Years that begin in March, so that the leap day comes last (Howard Hinnant).
    let year = year - u64::from(month <= 2);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let (era, of_era) = (year / 400, year % 400);
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000)
}

impl Client {
    fn new(url: &str) -> Result<Self, TransportError> {
        let origin = origin_of(url).ok_or(TransportError::Address(
            "a relay's address begins with https:// (or http:// on this machine)",
        ))?;
        if origin.starts_with("http://") && !is_loopback(&origin) {
            return Err(TransportError::Address(
                "http:// is only for a relay on this machine; use https://",
            ));
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect could lead anywhere, and the token with it.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(REQUEST_TIMEOUT))
            .user_agent(concat!("selkie/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let base = url.trim_end_matches('/').to_owned();
        Ok(Self { agent, base, origin, sent_bytes: 0, received_bytes: 0 })
    }

    fn post<Q: Encode<()>, R: for<'b> Decode<'b, ()>>(
        &mut self,
        path: &str,
        token: Option<&str>,
        message: &Q,
    ) -> Result<R, TransportError> {
        let body = cbor::encode(message);
        self.sent_bytes += body.len() as u64;
        let mut request = self.agent.post(format!("{}{path}", self.base)).content_type(MEDIA_TYPE);
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let answer = request.send(&body[..]);
        self.read(answer)?.cbor()
    }

    fn get(&mut self, path: &str, token: Option<&str>) -> Result<Answer, TransportError> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let answer = request.call();
        self.read(answer)
    }

    fn put(&mut self, path: &str, body: &[u8]) -> Result<Answer, TransportError> {
        self.sent_bytes += body.len() as u64;
        let url = format!("{}{path}", self.base);
        let answer = self.agent.put(url).content_type("application/octet-stream").send(body);
        self.read(answer)
    }

    fn read(
        &mut self,
        answer: Result<Response<ureq::Body>, ureq::Error>,
    ) -> Result<Answer, TransportError> {
        let mut response = answer.map_err(|error| unreachable(&error))?;
        let retry_after =
            response.headers().get("Retry-After").and_then(|value| value.to_str().ok());
        let retry_after_ms =
            retry_after.and_then(|text| text.parse::<u64>().ok()).map(|s| s.saturating_mul(1000));
        let date = response.headers().get("Date").and_then(|value| value.to_str().ok());
        let date_ms = date.and_then(parse_date);
        let body = response
            .body_mut()
            .with_config()
            .limit(RESPONSE_BYTES_MAX as u64)
            .read_to_vec()
            .map_err(|error| unreachable(&error))?;
        self.received_bytes += body.len() as u64;
        Ok(Answer { status: response.status().as_u16(), date_ms, retry_after_ms, body })
    }
}

impl Answer {
    fn cbor<R: for<'b> Decode<'b, ()>>(self) -> Result<R, TransportError> {
        cbor::decode(&self.accept()?).map_err(|_| TransportError::Garbage)
    }

    /// The body of a success, or what the relay says is wrong.
    fn accept(self) -> Result<Vec<u8>, TransportError> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        // A proxy in front of a relay speaks for it, and not in its words.
        let unspoken = match self.status {
            408 | 429 | 500..=599 => TransportError::Busy { retry_after_ms: self.retry_after_ms },
            413 => TransportError::TooLarge,
            _ => TransportError::Garbage,
        };
        let Ok(problem) = serde_json::from_slice::<serde_json::Value>(&self.body) else {
            return Err(unspoken);
        };
        let text = |name: &str| problem.get(name).and_then(|value| value.as_str());
        let Some(code) = text("code") else { return Err(unspoken) };
        Err(match code {
            problem_code::UNAUTHORIZED => TransportError::Unknown,
            problem_code::BUSY
            | problem_code::RATE_LIMITED
            | problem_code::TIMEOUT
            | problem_code::INTERNAL => {
                TransportError::Busy { retry_after_ms: self.retry_after_ms }
            }
            problem_code::TOO_LARGE => TransportError::TooLarge,
            problem_code::NOT_FOUND => TransportError::NotFound,
            problem_code::FORK => TransportError::RosterFork,
            _ => TransportError::Refused(printable(text("title").unwrap_or(code))),
        })
    }
}

/// A relay's words may reach a terminal: no control characters, and not many.
fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(200).collect()
}

fn unreachable(error: &ureq::Error) -> TransportError {
    match error {
        ureq::Error::Timeout(_) => TransportError::Unreachable("no answer in time".to_owned()),
        ureq::Error::HostNotFound => TransportError::Unreachable("no such host".to_owned()),
        ureq::Error::ConnectionFailed => TransportError::Unreachable("no connection".to_owned()),
        ureq::Error::Io(error) => TransportError::Unreachable(error.kind().to_string()),
        ureq::Error::BadUri(_) => TransportError::Address("the relay's address cannot be read"),
        ureq::Error::BodyExceedsLimit(_) | ureq::Error::Protocol(_) | ureq::Error::Http(_) => {
            TransportError::Garbage
        }
        other => TransportError::Unreachable(printable(&other.to_string())),
    }
}

fn is_loopback(origin: &str) -> bool {
    let host = origin.trim_start_matches("http://");
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plaintext_is_only_for_this_machine() {
        for good in
            ["http://127.0.0.1:1", "http://localhost:80/", "http://[::1]:9", "https://r.example"]
        {
            assert!(Client::new(good).is_ok(), "{good}");
        }
        for bad in [
            "http://r.example",
            "http://127.0.0.1.r.example",
            "ftp://x",
            "r.example",
            "http://localhost.r.example",
        ] {
            assert!(matches!(Client::new(bad), Err(TransportError::Address(_))), "{bad}");
        }
    }

    #[test]
    fn dates_of_answers_are_read() {
        for (text, at_ms) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777_000)),
            ("Thu, 29 Feb 2024 00:00:00 GMT", Some(1_709_164_800_000)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 25:49:37 GMT", None),
            ("", None),
        ] {
            assert_eq!(parse_date(text), at_ms, "{text}");
        }
    }

    #[test]
    fn a_relays_words_cannot_steer_a_terminal() {
        assert_eq!(printable("\u{1b}[2Jhello\n"), "[2Jhello");
    }
}
