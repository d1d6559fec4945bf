//! A segment's body in its frame.

use zeroize::Zeroizing;

use super::errors::{OpenError, SealError};
use crate::seal::body::SegmentBody;
use crate::seal::frame::{self, FrameError};

pub(super) fn encode(
    body: &SegmentBody,
    compressed: bool,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    frame::encode(&body.to_cbor()?, compressed).ok_or(SealError::TooLarge)
}

pub(super) fn decode(plaintext: &[u8]) -> Result<SegmentBody, OpenError> {
    SegmentBody::from_cbor(&frame::decode(plaintext)?).map_err(OpenError::Body)
}

impl From<FrameError> for OpenError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::TooNew => Self::TooNew,
            FrameError::Padding => Self::Padding,
            FrameError::Compression => Self::Compression,
        }
    }
}
