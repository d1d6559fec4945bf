//! Proof of membership without accounts: challenges and tokens that only this process can have made.
//!
//! Both are stateless: a MAC under a key drawn at the start, so they cost no memory, and die with
//! the process. A token says who its holder was; whether that device is a member still is asked of
//! the roster on every request.

use hmac::{Hmac, KeyInit as _, Mac as _};
use selkie_wire::relay::{AUTH_SIGNATURE_LABEL, TokenRequest, auth_bytes, origin_of};
use selkie_wire::{DeviceId, VaultId};
use sha2::Sha256;

use crate::error::RelayError;
use crate::limits::{CHALLENGE_TTL_MS, TOKEN_TTL_MS};

const MAC_LEN: usize = 32;
const NONCE_LEN: usize = 16;
/// One block of SHA-256.
const KEY_LEN: usize = 64;

/// What this process signs with, and whom it takes itself for.
pub(crate) struct Auth {
    key: [u8; KEY_LEN],
    origins: Vec<String>,
}

impl Auth {
    /// Draws a key.
    pub(crate) fn new(origins: &[String]) -> Result<Self, RelayError> {
        let origins = origins
            .iter()
            .map(|origin| {
                origin_of(origin).ok_or_else(|| RelayError::Origin { origin: origin.clone() })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { key: random()?, origins })
    }

    /// Bytes to sign: expiry, nonce, and a MAC that binds them to vault and device. No vault is
    /// looked up, so a foreign one answers like an absent one.
    pub(crate) fn challenge(
        &self,
        vault: VaultId,
        device: DeviceId,
        now_ms: u64,
    ) -> Result<Vec<u8>, RelayError> {
        let nonce = random::<NONCE_LEN>()?;
        let expires = now_ms.saturating_add(CHALLENGE_TTL_MS).to_le_bytes();
        let mac = self.mac(b"challenge", &[&vault.0, &device.0, &expires, &nonce]);
        Ok([&expires[..], &nonce, &mac.finalize().into_bytes()].concat())
    }

    /// Whether `challenge` was made here for these two, lately.
    pub(crate) fn knows_challenge(
        &self,
        vault: VaultId,
        device: DeviceId,
        challenge: &[u8],
        now_ms: u64,
    ) -> bool {
        let Some((expires, rest)) = challenge.split_first_chunk::<8>() else { return false };
        let Some((nonce, mac)) = rest.split_first_chunk::<NONCE_LEN>() else { return false };
        let expected = self.mac(b"challenge", &[&vault.0, &device.0, expires, nonce]);
        mac.len() == MAC_LEN
            && expected.verify_slice(mac).is_ok()
            && now_ms < u64::from_le_bytes(*expires)
    }

    /// A token: device, expiry, and a MAC that binds them to the vault.
    pub(crate) fn token(&self, vault: VaultId, device: DeviceId, now_ms: u64) -> Vec<u8> {
        let expires = now_ms.saturating_add(TOKEN_TTL_MS).to_le_bytes();
        let mac = self.mac(b"token", &[&vault.0, &device.0, &expires]);
        [&device.0[..], &expires, &mac.finalize().into_bytes()].concat()
    }

    /// The device a live token of this vault was given to.
    pub(crate) fn holder(&self, vault: VaultId, token: &[u8], now_ms: u64) -> Option<DeviceId> {
        let (device, rest) = token.split_first_chunk::<{ DeviceId::LEN }>()?;
        let (expires, mac) = rest.split_first_chunk::<8>()?;
        let expected = self.mac(b"token", &[&vault.0, device, expires]);
        let live = mac.len() == MAC_LEN
            && expected.verify_slice(mac).is_ok()
            && now_ms < u64::from_le_bytes(*expires);
        live.then_some(DeviceId(*device))
    }

    /// Whether a signed origin is this relay's; a signature for another must not open this one.
    pub(crate) fn is_own_origin(&self, origin: &str, host: Option<&str>) -> bool {
        // One spelling only: what was signed is compared, not something like it.
        if origin_of(origin).as_deref() != Some(origin) {
            return false;
        }
        if !self.origins.is_empty() {
            return self.origins.iter().any(|own| own == origin);
        }
        let Some((scheme, _)) = origin.split_once("://") else { return false };
        host.and_then(|host| origin_of(&format!("{scheme}://{host}"))).as_deref() == Some(origin)
    }

    /// The purpose's length is mixed in, and all parts have fixed lengths: no two inputs collide.
    fn mac(&self, purpose: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(&[u8::try_from(purpose.len()).unwrap_or(u8::MAX)]);
        mac.update(purpose);
        for part in parts {
            mac.update(part);
        }
        mac
    }
}

/// Whether the device's auth key signed this request's origin, vault, device and challenge.
pub(crate) fn signed_by(auth_key: &[u8; 32], request: &TokenRequest) -> bool {
    let bytes = auth_bytes(&request.origin, request.vault, request.device, &request.challenge);
    selkie_wire::envelope::verify_digest(auth_key, AUTH_SIGNATURE_LABEL, &bytes, &request.signature)
}

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], RelayError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| RelayError::Randomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VAULT: VaultId = VaultId([1; 32]);
    const DEVICE: DeviceId = DeviceId([2; 16]);

    fn auth(origins: &[&str]) -> Auth {
        let origins: Vec<_> = origins.iter().map(|&origin| origin.to_owned()).collect();
        Auth::new(&origins).unwrap()
    }

    #[test]
    fn a_token_opens_its_vault_until_it_expires() {
        let auth = auth(&[]);
        let token = auth.token(VAULT, DEVICE, 1000);
        assert_eq!(auth.holder(VAULT, &token, 1000 + TOKEN_TTL_MS - 1), Some(DEVICE));
        assert_eq!(auth.holder(VAULT, &token, 1000 + TOKEN_TTL_MS), None);
        assert_eq!(auth.holder(VaultId([9; 32]), &token, 1000), None);
    }

    #[test]
    fn a_token_changed_in_any_byte_or_length_is_none() {
        let auth = auth(&[]);
        let token = auth.token(VAULT, DEVICE, 1000);
        for at in 0..token.len() {
            let mut forged = token.clone();
            forged[at] ^= 1;
            assert_eq!(auth.holder(VAULT, &forged, 1000), None, "byte {at}");
            assert_eq!(auth.holder(VAULT, &token[..at], 1000), None, "length {at}");
        }
        assert_eq!(auth.holder(VAULT, &[&token[..], &[0]].concat(), 1000), None);
    }

    #[test]
    fn a_challenge_is_no_token_and_holds_for_its_asker_only() {
        let auth = auth(&[]);
        let challenge = auth.challenge(VAULT, DEVICE, 1000).unwrap();
        assert!(auth.knows_challenge(VAULT, DEVICE, &challenge, 1000));
        assert!(!auth.knows_challenge(VAULT, DEVICE, &challenge, 1000 + CHALLENGE_TTL_MS));
        assert!(!auth.knows_challenge(VaultId([9; 32]), DEVICE, &challenge, 1000));
        assert!(!auth.knows_challenge(VAULT, DeviceId([9; 16]), &challenge, 1000));
        assert_eq!(auth.holder(VAULT, &challenge, 1000), None);
        assert_ne!(auth.challenge(VAULT, DEVICE, 1000).unwrap(), challenge);
    }

    #[test]
    fn another_process_knows_neither() {
        let (here, there) = (auth(&[]), auth(&[]));
        let challenge = here.challenge(VAULT, DEVICE, 1000).unwrap();
        assert!(!there.knows_challenge(VAULT, DEVICE, &challenge, 1000));
        assert_eq!(there.holder(VAULT, &here.token(VAULT, DEVICE, 1000), 1000), None);
    }

    #[test]
    fn own_origins() {
        let open = auth(&[]);
        let named = auth(&["https://Relay.example:443/"]);
        for (auth, origin, host, own) in [
            (&open, "http://127.0.0.1:4001", Some("127.0.0.1:4001"), true),
            (&open, "https://relay.example", Some("Relay.example:443"), true),
            (&open, "http://127.0.0.1:4002", Some("127.0.0.1:4001"), false),
            (&open, "http://127.0.0.1:4001/", Some("127.0.0.1:4001"), false),
            (&open, "http://127.0.0.1:4001", None, false),
            (&open, "127.0.0.1:4001", Some("127.0.0.1:4001"), false),
            (&named, "https://relay.example", Some("127.0.0.1:4001"), true),
            (&named, "http://127.0.0.1:4001", Some("127.0.0.1:4001"), false),
            (&named, "http://relay.example", Some("relay.example"), false),
        ] {
            assert_eq!(auth.is_own_origin(origin, host), own, "{origin} at {host:?}");
        }
    }

    #[test]
    fn a_configured_origin_must_be_one() {
        let wrong = ["relay.example".to_owned()];
        assert!(matches!(Auth::new(&wrong), Err(RelayError::Origin { .. })));
    }
}
