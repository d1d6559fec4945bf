//! Identifiers, wrapped so that no two bare integers or byte arrays can be swapped.

use core::fmt;

use minicbor::{CborLen, Decode, Decoder, Encode, Encoder};
use sha2::{Digest as _, Sha256};

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// Reads exactly as many bytes as the id has; anything else is `None`.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// Reads lower- or upper-case hexadecimal.
            #[must_use]
            pub fn from_hex(text: &str) -> Option<Self> {
                let mut bytes = [0u8; $len];
                decode_hex(text, &mut bytes).then_some(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<C> CborLen<C> for $name {
            fn cbor_len(&self, ctx: &mut C) -> usize {
                minicbor::bytes::ByteSlice::cbor_len((&self.0[..]).into(), ctx)
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                Self::from_slice(d.bytes()?)
                    .ok_or_else(|| minicbor::decode::Error::message("an id has the wrong length"))
            }
        }
    };
}

fn decode_hex(text: &str, out: &mut [u8]) -> bool {
    if text.len() != out.len() * 2 {
        return false;
    }
    let nibble = |byte: u8| char::from(byte).to_digit(16);
    for (slot, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return false };
        match (nibble(*high), nibble(*low)) {
            (Some(high), Some(low)) => *slot = (high * 16 + low) as u8,
            _ => return false,
        }
    }
    true
}

byte_id!(
    /// A vault: all devices of one person. `SHA-256("selkie/1/genesis\0" ‖ genesis entry)`.
    VaultId, 32
);
byte_id!(
    /// A device, and the chain of its envelopes: `SHA-256("selkie/1/device-id\0" ‖ signing key)[..16]`.
    /// A further chain of it: [`DeviceId::of_incarnation`].
    DeviceId, 16
);
byte_id!(
    /// Drawn when a device begins a further chain.
    IncarnationToken, 32
);
byte_id!(
    /// SHA-256 of a whole envelope or roster entry.
    Digest, 32
);
byte_id!(
    /// Commitment to an epoch key; picks the key, and proves that it is the one meant.
    KeyId, 32
);
byte_id!(
    /// Random name of one life of a relay's storage; a new one after a wipe or a restore.
    RelayEpoch, 16
);
byte_id!(
    /// Meeting place of a pairing, derived from its code.
    MailboxId, 32
);

impl Digest {
    /// SHA-256 of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// SHA-256 of `label ‖ parts`, where the label ends in a zero byte and the parts have fixed
    /// lengths or only the last varies, so no two inputs give the same bytes.
    #[must_use]
    pub fn labelled(label: &[u8], parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        hash.update(label);
        for part in parts {
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

impl DeviceId {
    /// The id that a signing key certifies by itself.
    #[must_use]
    pub fn of_signing_key(signing_key: &[u8; 32]) -> Self {
        let Digest(full) = Digest::labelled(b"selkie/1/device-id\0", &[signing_key]);
        let mut short = [0u8; 16];
        short.copy_from_slice(full.split_at(16).0);
        Self(short)
    }

    /// The first eight hexadecimal digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen,
        )]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter!(
    /// Number of a segment in its device's chain, from 1; 0 means none yet.
    SegmentNumber
);
counter!(
    /// Number of a roster entry, from 0 (genesis).
    RosterNumber
);
counter!(
    /// Place in a relay's list of a vault's segments; 0 is the beginning.
    Cursor
);

impl Cursor {
    /// The place of the envelope with this digest, directly after this place: from 1 to 2²⁸ further
    /// on, by what the envelope is. So a place says what the list was up to there, and a list that was
    /// set back and filled differently has other places.
    ///
    /// ```
    /// use selkie_wire::{Cursor, Digest};
    /// let place = Cursor(7).after(Digest([0xff; 32]));
    /// assert_eq!(place, Cursor(7 + 0x0fff_ffff + 1));
    /// ```
    #[must_use]
    pub fn after(self, digest: Digest) -> Self {
        let Digest([first, second, third, fourth, ..]) = digest;
        let further = u32::from_be_bytes([first & 0x0f, second, third, fourth]);
        Self(self.0.saturating_add(u64::from(further)).saturating_add(1))
    }
}

impl SegmentNumber {
    /// The number after this one; `None` at the end of the number space.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_and_refuses_anything_else() {
        let id = DeviceId([0xab; 16]);
        assert_eq!(DeviceId::from_hex(&id.to_string()), Some(id));
        for wrong in ["", "ab", &"g".repeat(32), &"a".repeat(33), "é".repeat(16).as_str()] {
            assert_eq!(DeviceId::from_hex(wrong), None, "{wrong:?}");
        }
    }
}
