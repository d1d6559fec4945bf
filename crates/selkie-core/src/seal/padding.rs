//! Padmé: lengths that tell little (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files
//! and Communication with PURBs", PoPETs 2019, §4).

use selkie_wire::limits::PLAINTEXT_BYTES_MIN;

/// The length a plaintext of `len` bytes is padded to: `Padmé(max(len, 512))`. At most 1/16 longer
/// from 512 bytes on.
///
/// ```
/// use selkie_core::seal::padding::padded_len;
/// assert_eq!([0, 512, 513, 1000, 65_544].map(padded_len), [512, 512, 544, 1024, 67_584]);
/// ```
#[must_use]
pub fn padded_len(len: usize) -> usize {
    let len = len.max(PLAINTEXT_BYTES_MIN);
    // Keep as many leading bits of the length as its exponent has bits; round up to the rest.
    let exponent = len.ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1usize << (exponent - kept)) - 1;
    len.saturating_add(mask) & !mask
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Worked out by hand: exponent E, kept bits S = ⌊log₂E⌋+1, rounding to 2^(E−S).
    #[test]
    fn lengths_worked_out_by_hand() {
        let cases = [
            (0, 512),
            (1, 512),
            (511, 512),
            (512, 512), // E 9, S 4: multiples of 32
            (513, 544),
            (544, 544),
            (545, 576),
            (1000, 1024),
            (1023, 1024),
            (1024, 1024), // E 10, S 4: multiples of 64
            (1025, 1088),
            (2048, 2048),
            (2049, 2176),     // E 11: 128
            (4097, 4352),     // E 12: 256
            (32_769, 34_816), // E 15, S 4: 2048
            (65_535, 65_536),
            (65_536, 65_536), // E 16, S 5: 2048
            (65_537, 67_584),
            (65_544, 67_584),
            (1_048_576, 1_048_576),
            (1_048_577, 1_081_344), // E 20, S 5: 32768
            (4_000_000, 4_063_232), // E 21, S 5: 65536
        ];
        for (len, padded) in cases {
            assert_eq!(padded_len(len), padded, "{len}");
        }
    }

    #[test]
    fn padding_never_shortens_costs_a_sixteenth_and_is_its_own_fixed_point() {
        let mut sizes = BTreeSet::new();
        for len in 1..=1024 * 1024usize {
            let padded = padded_len(len);
            assert!(padded >= len && padded_len(padded) == padded);
            assert!(len < 512 || padded - len <= len / 16, "{len}");
            sizes.insert(padded);
        }
        assert_eq!(sizes.len(), 16 * 7 + 32 * 4 + 1, "a million lengths look like 241");
    }
}
