//! HKDF-SHA256 (RFC 5869) with one label for each purpose, all of them here.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What a derived key is for: the label, which ends in a zero byte, so that label and context
/// cannot run into each other. The context after it always has a fixed length.
#[derive(Clone, Copy)]
pub(crate) struct Label(pub(crate) &'static [u8]);

pub(crate) const DATABASE: Label = Label(b"selkie/1/database\0");
pub(crate) const SLOTS_MAC: Label = Label(b"selkie/1/slots-mac\0");
pub(crate) const PASSPHRASE_STORE: Label = Label(b"selkie/1/passphrase-store\0");
pub(crate) const PASSPHRASE_ADMIN: Label = Label(b"selkie/1/passphrase-admin\0");
pub(crate) const CALLER_STORE: Label = Label(b"selkie/1/caller-store\0");
pub(crate) const RECOVERY_STORE: Label = Label(b"selkie/1/recovery-store\0");
pub(crate) const RECOVERY_SLOT_ADMIN: Label = Label(b"selkie/1/recovery-slot-admin\0");
pub(crate) const RECOVERY_ADMIN: Label = Label(b"selkie/1/recovery-admin\0");
pub(crate) const RECOVERY_KEM: Label = Label(b"selkie/1/recovery-kem\0");
pub(crate) const RECOVERY_PROOF: Label = Label(b"selkie/1/recovery-proof\0");
pub(crate) const KEY_ID: Label = Label(b"selkie/1/key-id\0");
pub(crate) const SEGMENT: Label = Label(b"selkie/1/segment\0");
pub(crate) const CHECKPOINT: Label = Label(b"selkie/1/checkpoint\0");
pub(crate) const CHECKPOINT_SHARD: Label = Label(b"selkie/1/checkpoint-shard\0");
pub(crate) const PREVIOUS_EPOCH: Label = Label(b"selkie/1/previous-epoch\0");
pub(crate) const PAIRING_MAILBOX: Label = Label(b"selkie/1/pairing-mailbox\0");
pub(crate) const PAIRING_PSK: Label = Label(b"selkie/1/pairing-psk\0");
pub(crate) const PAIRING_OFFER: Label = Label(b"selkie/1/pairing-offer\0");
pub(crate) const PSEUDONYM: Label = Label(b"selkie/1/pseudonym\0");

/// 32 bytes from 32 bytes: HKDF-SHA256 without salt, info = label ‖ context parts.
///
/// One block is all that is needed, and the first block of HKDF-Expand is
/// `HMAC(PRK, info ‖ 0x01)`; written so, there is no error path that could leave a key of zeros.
pub(crate) fn derive(key: &[u8; 32], label: Label, context: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let (mut pseudorandom_key, _) = Hkdf::<Sha256>::extract(None, key);
    let mut mac = keyed_mac(pseudorandom_key.as_ref());
    zeroize::Zeroize::zeroize(pseudorandom_key.as_mut_slice());
    mac.update(label.0);
    for part in context {
        mac.update(part);
    }
    mac.update(&[1]);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// HMAC-SHA256 (RFC 2104) of `bytes`.
pub(crate) fn authenticate(key: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
    let mut mac = keyed_mac(key);
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

/// HMAC pads a short key with zeros to its 64-byte block (RFC 2104 §2); ours have 32 bytes.
fn keyed_mac(key: &[u8]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0u8; 64]);
    for (slot, byte) in block.iter_mut().zip(key) {
        *slot = *byte;
    }
    Hmac::new((&*block).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_by_hand_is_what_the_hkdf_crate_expands() {
        for byte in 0..=255u8 {
            let mut expected = [0u8; 32];
            let info = [KEY_ID.0, &[byte; 33]].concat();
            Hkdf::<Sha256>::new(None, &[byte; 32]).expand(&info, &mut expected).unwrap();
            assert_eq!(*derive(&[byte; 32], KEY_ID, &[&[byte; 32], &[byte]]), expected);
        }
    }

    #[test]
    fn no_label_is_the_beginning_of_another() {
        let labels = [
            DATABASE,
            SLOTS_MAC,
            PASSPHRASE_STORE,
            PASSPHRASE_ADMIN,
            CALLER_STORE,
            RECOVERY_STORE,
            RECOVERY_SLOT_ADMIN,
            RECOVERY_ADMIN,
            RECOVERY_KEM,
            RECOVERY_PROOF,
            KEY_ID,
            SEGMENT,
            CHECKPOINT,
            CHECKPOINT_SHARD,
            PREVIOUS_EPOCH,
            PAIRING_MAILBOX,
            PAIRING_PSK,
            PAIRING_OFFER,
            PSEUDONYM,
        ];
        for (index, one) in labels.iter().enumerate() {
            assert_eq!(one.0.last(), Some(&0));
            assert_eq!(one.0.iter().filter(|byte| **byte == 0).count(), 1);
            for other in &labels[index + 1..] {
                assert!(!one.0.starts_with(other.0) && !other.0.starts_with(one.0));
            }
        }
    }
}
