//! The 32-byte keys, each its own type, so that none is used in another's place.

use core::fmt;

use ed25519_dalek::{Signer, SigningKey};
use selkie_wire::envelope::{SUITE_1, signature_message};
use selkie_wire::{DeviceId, KeyId, VaultId};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::keys::derive::{self, derive};
use crate::ports::{RandomError, RandomSource};

/// 32 secret bytes in one place on the heap: moving the owner leaves no copy on the stack behind.
pub(crate) struct Secret32(Box<Zeroizing<[u8; 32]>>);

impl Secret32 {
    pub(crate) fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let secret = Self(Box::new(Zeroizing::new(bytes)));
        bytes.zeroize();
        secret
    }

    pub(crate) fn generate(random: &mut dyn RandomSource) -> Result<Self, RandomError> {
        let mut secret = Self(Box::new(Zeroizing::new([0; 32])));
        random.draw_into(secret.0.as_mut_slice())?;
        Ok(secret)
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

macro_rules! secret_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name(Secret32);

        impl ZeroizeOnDrop for $name {}

        impl $name {
            /// Takes the key's bytes over; the caller wipes its own copy.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(Secret32::from_bytes(bytes))
            }

            /// The key's bytes. A dangerous door: whoever holds them holds the key.
            #[must_use]
            pub fn expose(&self) -> &[u8; 32] {
                self.0.expose()
            }

            /// A new random key.
            ///
            /// # Errors
            /// [`RandomError`] if the source fails or is stuck; no key is made then.
            pub fn generate(random: &mut dyn RandomSource) -> Result<Self, RandomError> {
                Secret32::generate(random).map(Self)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(<redacted>)"))
            }
        }
    };
}

secret_key!(
    /// Opens one store file on one device (LSK). Random; kept only wrapped, in the key-slot file.
    ///
    /// ```
    /// use selkie_core::keys::StoreKey;
    /// let key = StoreKey::from_bytes([7; 32]);
    /// assert_ne!(key.derive_database_key().expose(), key.expose());
    /// assert_eq!(format!("{key:?}"), "StoreKey(<redacted>)");
    /// ```
    StoreKey
);
secret_key!(
    /// The Ed25519 seed (RFC 8032) whose public key signs every roster entry (VAK).
    ///
    /// ```
    /// use selkie_core::keys::AdminKey;
    /// let key = AdminKey::from_bytes([7; 32]);
    /// assert_ne!(key.public_key(), *key.expose());
    /// ```
    AdminKey
);
secret_key!(
    /// The key of one epoch of a vault; everything sent in the epoch is sealed under keys derived
    /// from it.
    ///
    /// ```
    /// use selkie_core::keys::EpochKey;
    /// use selkie_wire::VaultId;
    /// let key = EpochKey::from_bytes([7; 32]);
    /// let (home, work) = (VaultId([1; 32]), VaultId([2; 32]));
    /// assert_ne!(key.derive_key_id(home), key.derive_key_id(work));
    /// ```
    EpochKey
);
secret_key!(
    /// The raw 256-bit key of the database file (SQLCipher), derived from the [`StoreKey`].
    ///
    /// ```
    /// use selkie_core::keys::{DatabaseKey, StoreKey};
    /// let key: DatabaseKey = StoreKey::from_bytes([7; 32]).derive_database_key();
    /// assert_eq!(key.expose().len(), 32);
    /// ```
    DatabaseKey
);
secret_key!(
    /// The user's secret that pseudonyms are made of: whoever is sent them cannot guess their values
    /// without it. One for each vault or grant; forgetting it ends the link to all pseudonyms made.
    ///
    /// ```
    /// use selkie_core::keys::UserShareKey;
    /// let key = UserShareKey::from_bytes([7; 32]);
    /// let (lab, shop) = ([1; 32], [2; 32]);
    /// assert_ne!(key.derive_pseudonym(&lab, b"5"), key.derive_pseudonym(&shop, b"5"));
    /// ```
    UserShareKey
);

impl UserShareKey {
    /// HMAC-SHA-256 of `value` under the key of one context, the digest of who may compare it with what.
    #[must_use]
    pub fn derive_pseudonym(&self, context: &[u8; 32], value: &[u8]) -> [u8; 32] {
        derive::authenticate(&derive(self.expose(), derive::PSEUDONYM, &[context]), value)
    }
}

impl StoreKey {
    /// The key of the database file.
    #[must_use]
    pub fn derive_database_key(&self) -> DatabaseKey {
        DatabaseKey::from_bytes(*derive(self.expose(), derive::DATABASE, &[]))
    }

    /// The key that authenticates the key-slot file of the store with this id.
    #[must_use]
    pub fn derive_slots_mac_key(&self, store_id: &[u8; 16]) -> Zeroizing<[u8; 32]> {
        derive(self.expose(), derive::SLOTS_MAC, &[store_id])
    }
}

impl AdminKey {
    /// The Ed25519 public key, as the genesis entry names it.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        SigningKey::from_bytes(self.expose()).verifying_key().to_bytes()
    }

    pub(crate) fn sign(&self, label: &[u8], bytes: &[u8]) -> [u8; 64] {
        SigningKey::from_bytes(self.expose()).sign(&signature_message(label, bytes)).to_bytes()
    }
}

impl EpochKey {
    /// The commitment to this key: names it in envelopes, and proves that it is the one meant.
    #[must_use]
    pub fn derive_key_id(&self, vault: VaultId) -> KeyId {
        KeyId(*derive(self.expose(), derive::KEY_ID, &[&vault.0, &[SUITE_1]]))
    }

    /// The key that one device's segments are sealed under.
    #[must_use]
    pub fn derive_segment_key(&self, vault: VaultId, device: DeviceId) -> Zeroizing<[u8; 32]> {
        derive(self.expose(), derive::SEGMENT, &[&vault.0, &device.0, &[SUITE_1]])
    }

    /// The key that the vault's checkpoints are sealed under.
    #[must_use]
    pub fn derive_checkpoint_key(&self, vault: VaultId) -> Zeroizing<[u8; 32]> {
        derive(self.expose(), derive::CHECKPOINT, &[&vault.0, &[SUITE_1]])
    }

    /// The key that sorts records into shards.
    pub(crate) fn derive_shard_key(&self, vault: VaultId) -> Zeroizing<[u8; 32]> {
        derive(self.expose(), derive::CHECKPOINT_SHARD, &[&vault.0])
    }

    /// The key that the epoch before this one is sealed under, in the rotation to `epoch`.
    pub(crate) fn derive_previous_epoch_key(
        &self,
        vault: VaultId,
        epoch: u32,
    ) -> Zeroizing<[u8; 32]> {
        derive(self.expose(), derive::PREVIOUS_EPOCH, &[&vault.0, &epoch.to_le_bytes()])
    }
}
