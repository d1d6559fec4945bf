//! What a cursor of the protocol means in a folder: the run, the page, and what was looked at last.

use selkie_wire::Cursor;

/// Bits of a cursor, from above: one that stays 0 for signed storage, run, page, fingerprint.
const RUN_BITS: u32 = 15;
const PAGE_BITS: u32 = 16;
const FINGERPRINT_BITS: u32 = 32;

/// A place in the reading of a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Runs so far, around in a circle.
    pub(super) run: u64,
    page: u64,
    /// Of the folders, when they were last listed and all was whole.
    pub(super) fingerprint: Option<u32>,
}

impl Place {
    pub(super) fn from_cursor(cursor: Cursor) -> Self {
        let low = |value: u64, bits: u32| value & ((1 << bits) - 1);
        let fingerprint = u32::try_from(low(cursor.0, FINGERPRINT_BITS)).unwrap_or_default();
        Self {
            run: low(cursor.0 >> (PAGE_BITS + FINGERPRINT_BITS), RUN_BITS),
            page: low(cursor.0 >> FINGERPRINT_BITS, PAGE_BITS),
            fingerprint: Some(fingerprint).filter(|fingerprint| *fingerprint != 0),
        }
    }

    pub(super) fn to_cursor(self) -> Cursor {
        let above = (self.run << PAGE_BITS) | self.page;
        Cursor((above << FINGERPRINT_BITS) | u64::from(self.fingerprint.unwrap_or(0)))
    }

    /// The next page of this run. Within a run cursors only grow; a run of 65,536 pages goes on as the
    /// next one.
    pub(super) fn next_page(self) -> Self {
        if self.page + 1 < 1 << PAGE_BITS {
            Self { page: self.page + 1, ..self }
        } else {
            self.next_run(None)
        }
    }

    /// The beginning of the next run.
    pub(super) fn next_run(self, fingerprint: Option<u32>) -> Self {
        Self { run: (self.run + 1) % (1 << RUN_BITS), page: 0, fingerprint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_from_its_cursor_and_pages_grow() {
        let mut place = Place::from_cursor(Cursor(0));
        assert_eq!(place, Place::default());
        for fingerprint in [None, Some(1), Some(u32::MAX)] {
            for _ in 0..3 {
                let next = place.next_page();
                assert!(next.to_cursor() > place.to_cursor());
                assert_eq!(Place::from_cursor(next.to_cursor()), next);
                place = next;
            }
            place = place.next_run(fingerprint);
            assert_eq!(Place::from_cursor(place.to_cursor()), place);
        }
        let last =
            Place { run: (1 << RUN_BITS) - 1, page: (1 << PAGE_BITS) - 1, fingerprint: None };
        assert!(i64::try_from(last.to_cursor().0).is_ok());
        assert_eq!(last.next_page(), Place::default());
    }
}
