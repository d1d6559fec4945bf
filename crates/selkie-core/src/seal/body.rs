//! What a segment carries: when, what its sender had seen, and the changes.

use core::fmt;
use std::collections::BTreeMap;

use minicbor::data::Type;
use minicbor::{Decoder, Encode, Encoder};
use selkie_wire::cbor::{self, CborError};
use selkie_wire::limits::{BODY_BYTES_MAX, CHANGE_BYTES_MAX, DEVICES_MAX};
use selkie_wire::{DeviceId, Digest, IncarnationToken, SegmentNumber};
use zeroize::Zeroizing;

/// The last segment seen of each device, with its digest.
pub type Heads = BTreeMap<DeviceId, (SegmentNumber, Digest)>;

/// The content of one segment.
///
/// ```
/// use selkie_core::seal::SegmentBody;
/// let body = SegmentBody { stamp: 7, first_change: 1, changes: vec![vec![0x80]], ..Default::default() };
/// let bytes = body.to_cbor()?;
/// assert_eq!(bytes[..], [0xa4, 0, 7, 1, 0xa0, 2, 1, 3, 0x81, 0x41, 0x80]);
/// assert_eq!(SegmentBody::from_cbor(&bytes)?, body);
/// # Ok::<(), selkie_core::seal::BodyError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SegmentBody {
    /// Hybrid logical clock of the sender when it sealed.
    pub stamp: u64,
    /// What the sender had seen of each other device: evidence against a relay that withholds.
    pub heads: Heads,
    /// Number of the first change in its device's log.
    pub first_change: u64,
    /// Encoded changes, consecutive; empty in a heartbeat.
    pub changes: Vec<Vec<u8>>,
    /// Whose changes they are.
    pub changes_of: ChangesOf,
}

/// Which of the sender's chains made the changes of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChangesOf {
    /// The one that the segment is in.
    #[default]
    Sender,
    /// The one that has the device's own id: a copy of its store sends them again.
    Device,
    /// An earlier incarnation: likewise.
    Incarnation(IncarnationToken),
}

/// Why bytes are not a segment body, or a body cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// Not deterministic CBOR of this shape.
    Cbor(CborError),
    /// Has a key that this version does not know: update the app.
    TooNew,
    /// A change, the heads or the whole are larger than allowed, or change numbers overflow.
    Limit,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cbor(error) => write!(f, "segment body: {error}"),
            Self::TooNew => f.write_str("the segment body is of a newer version; update the app"),
            Self::Limit => f.write_str("the segment body is larger than allowed"),
        }
    }
}

impl core::error::Error for BodyError {}

impl fmt::Debug for SegmentBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentBody")
            .field("stamp", &self.stamp)
            .field("heads", &self.heads)
            .field("first_change", &self.first_change)
            .field("changes", &format_args!("<{} redacted>", self.changes.len()))
            .finish()
    }
}

impl SegmentBody {
    /// The one deterministic encoding.
    ///
    /// # Errors
    /// [`BodyError::Limit`].
    pub fn to_cbor(&self) -> Result<Zeroizing<Vec<u8>>, BodyError> {
        self.check_limits()?;
        let changes_len: usize = self.changes.iter().map(|change| change.len() + 9).sum();
        let capacity = changes_len + self.heads.len() * 64 + 64;
        // Large enough from the start: growing would leave unwiped copies of plaintext behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
        // Writing into a Vec has no error; our types raise none.
        let _infallible = minicbor::encode(self, &mut *bytes);
        if bytes.len() > BODY_BYTES_MAX { Err(BodyError::Limit) } else { Ok(bytes) }
    }

    /// Reads a body; every byte of it is checked first.
    ///
    /// # Errors
    /// [`BodyError`].
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, BodyError> {
        if bytes.len() > BODY_BYTES_MAX {
            return Err(BodyError::Limit);
        }
        cbor::check(bytes).map_err(BodyError::Cbor)?;
        let body = Self::read(&mut Decoder::new(bytes))?;
        body.check_limits()?;
        Ok(body)
    }

    fn check_limits(&self) -> Result<(), BodyError> {
        let count = u64::try_from(self.changes.len()).map_err(|_| BodyError::Limit)?;
        let within = self.changes.iter().all(|change| change.len() <= CHANGE_BYTES_MAX)
            && self.heads.len() <= DEVICES_MAX
            && self.first_change.checked_add(count).is_some();
        if within { Ok(()) } else { Err(BodyError::Limit) }
    }

    /// Unlike messages, a body has no keys to skip: an old version that dropped what it does not
    /// know would drop a person's data.
    fn read(decoder: &mut Decoder<'_>) -> Result<Self, BodyError> {
        let shape = |_| BodyError::Cbor(CborError::Shape);
        let fields = decoder.map().map_err(shape)?.ok_or(BodyError::Cbor(CborError::Shape))?;
        let mut body = Self::default();
        for _ in 0..fields {
            if !matches!(decoder.datatype().map_err(shape)?, Type::U8) {
                return Err(BodyError::TooNew);
            }
            match decoder.u64().map_err(shape)? {
                0 => body.stamp = decoder.u64().map_err(shape)?,
                1 => body.heads = decoder.decode().map_err(shape)?,
                2 => body.first_change = decoder.u64().map_err(shape)?,
                3 => body.changes = read_changes(decoder)?,
                4 => body.changes_of = read_changes_of(decoder)?,
                _ => return Err(BodyError::TooNew),
            }
        }
        // Keys are known by now, and none is doubled: without key 4, four of them are all four.
        let wanted = if body.changes_of == ChangesOf::Sender { 4 } else { 5 };
        if fields == wanted { Ok(body) } else { Err(BodyError::Cbor(CborError::Shape)) }
    }
}

fn read_changes(decoder: &mut Decoder<'_>) -> Result<Vec<Vec<u8>>, BodyError> {
    let shape = |_| BodyError::Cbor(CborError::Shape);
    let count = decoder.array().map_err(shape)?.ok_or(BodyError::Cbor(CborError::Shape))?;
    // Not reserved ahead: the count is the sender's word.
    (0..count).map(|_| decoder.bytes().map(<[u8]>::to_vec).map_err(shape)).collect()
}

fn read_changes_of(decoder: &mut Decoder<'_>) -> Result<ChangesOf, BodyError> {
    let shape = |_| BodyError::Cbor(CborError::Shape);
    if decoder.datatype().map_err(shape)? == Type::Null {
        decoder.null().map_err(shape)?;
        return Ok(ChangesOf::Device);
    }
    decoder.decode().map(ChangesOf::Incarnation).map_err(shape)
}

impl<C> Encode<C> for SegmentBody {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let own = self.changes_of == ChangesOf::Sender;
        e.map(if own { 4 } else { 5 })?.u8(0)?.u64(self.stamp)?;
        e.u8(1)?.encode_with(&self.heads, ctx)?;
        e.u8(2)?.u64(self.first_change)?;
        e.u8(3)?.array(self.changes.len() as u64)?;
        for change in &self.changes {
            e.bytes(change)?;
        }
        match self.changes_of {
            ChangesOf::Sender => {}
            ChangesOf::Device => {
                e.u8(4)?.null()?;
            }
            ChangesOf::Incarnation(token) => {
                e.u8(4)?.encode(token)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_a_later_version_is_not_half_read() {
        // One key more; a key that is no small integer.
        let more = [0xa5, 0, 7, 1, 0xa0, 2, 1, 3, 0x80, 5, 0xf6];
        assert_eq!(SegmentBody::from_cbor(&more).unwrap_err(), BodyError::TooNew);
        let text = [0xa5, 0, 7, 1, 0xa0, 2, 1, 3, 0x80, 0x61, b'x', 0xf6];
        assert_eq!(SegmentBody::from_cbor(&text).unwrap_err(), BodyError::TooNew);
    }

    #[test]
    fn other_shapes_and_second_encodings_are_refused() {
        let cases: &[&[u8]] = &[
            &[],
            &[0xa0],
            &[0x80],
            &[0xa3, 0, 7, 1, 0xa0, 2, 1],
            &[0xa3, 0, 7, 2, 1, 3, 0x80],
            &[0xa4, 0, 7, 1, 0xa0, 2, 1, 3, 0x81, 0],
            &[0xa4, 0, 7, 1, 0x80, 2, 1, 3, 0x80],
            &[0xa5, 0, 7, 1, 0xa0, 2, 1, 3, 0x80, 4, 0x41, 9],
            &[0xa4, 0, 7, 1, 0xa0, 2, 1, 4, 0xf6],
            &[0xa4, 0, 0x20, 1, 0xa0, 2, 1, 3, 0x80],
            &[0xa4, 0, 0x18, 7, 1, 0xa0, 2, 1, 3, 0x80],
            &[0xa4, 0, 7, 1, 0xa0, 2, 1, 3, 0x80, 0],
            &[0xa4, 0, 7, 1, 0xa1, 0x41, 9, 0x82, 1, 2, 2, 1, 3, 0x80],
            &[0xa4, 0, 7, 1, 0xa0, 2, 1, 3, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ];
        for bytes in cases {
            let error = SegmentBody::from_cbor(bytes).unwrap_err();
            assert!(matches!(error, BodyError::Cbor(_)), "{bytes:02x?} {error:?}");
        }
    }

    #[test]
    fn change_numbers_may_not_overflow() {
        let full = SegmentBody { first_change: u64::MAX, ..SegmentBody::default() };
        assert!(full.to_cbor().is_ok());
        let over = SegmentBody { changes: vec![Vec::new()], ..full };
        assert_eq!(over.to_cbor().unwrap_err(), BodyError::Limit);
    }

    #[test]
    fn a_body_larger_than_allowed_is_neither_written_nor_read() {
        let heads = |count: u16| -> Heads {
            let device = |n: u16| DeviceId([n.to_be_bytes(); 8].concat().try_into().unwrap());
            (0..count).map(|n| (device(n), (SegmentNumber(1), Digest([0; 32])))).collect()
        };
        let most = SegmentBody { heads: heads(1000), ..SegmentBody::default() };
        assert_eq!(SegmentBody::from_cbor(&most.to_cbor().unwrap()).unwrap(), most);
        let over = SegmentBody { heads: heads(1001), ..SegmentBody::default() };
        assert_eq!(over.to_cbor().unwrap_err(), BodyError::Limit);
        assert_eq!(SegmentBody::from_cbor(&cbor::encode(&over)).unwrap_err(), BodyError::Limit);
        let changes = vec![vec![0; CHANGE_BYTES_MAX]; 6];
        let over = SegmentBody { changes, ..SegmentBody::default() };
        assert_eq!(over.to_cbor().unwrap_err(), BodyError::Limit);
        assert_eq!(SegmentBody::from_cbor(&cbor::encode(&over)).unwrap_err(), BodyError::Limit);
    }

    #[test]
    fn changes_do_not_show_in_debug() {
        let body = SegmentBody { changes: vec![b"secret".to_vec()], ..SegmentBody::default() };
        let shown = format!("{body:?}");
        assert!(shown.contains("<1 redacted>") && !shown.contains("115"), "{shown}");
    }
}
