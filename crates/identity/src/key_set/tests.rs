use aws_lc_rs::rsa::PublicKeyComponents;
use serde_json::Value;

use super::*;
use crate::tests::{CountingRandom, NOW, Site};
use crate::{Principal, TokenFault, issue_token, verify_token};

fn fresh() -> SigningKey {
    SigningKey::generate().unwrap()
}

fn published_ids(keys: &KeySet, now: i64) -> Vec<String> {
    let document: Value = serde_json::from_slice(&keys.published(now).unwrap()).unwrap();
    document["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn token(keys: &KeySet, now: i64, lifetime_seconds: i64) -> String {
    let site = Site::demo();
    let mut content = site.content();
    content.lifetime_seconds = lifetime_seconds;
    issue_token(&content, keys, &CountingRandom::default(), now).unwrap().text
}

fn verify(keys: &KeySet, token: &str, now: i64) -> Result<Principal, TokenFault> {
    verify_token(token, keys, &Site::demo().used(), now)
}

#[test]
fn signatures_are_checked_as_rfc_7515_has_it() {
    // The example of appendix A.2.
    let modulus = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-\
                   yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-\
                   KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_\
                   h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    let signed = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc1\
                  9yb290Ijp0cnVlfQ";
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGb\
                     ds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0G\
                     arZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6Lbg\
                     GY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let n = URL_SAFE_NO_PAD.decode(modulus).unwrap();
    let key = PublicKeyComponents { n: n.as_slice(), e: [1, 0, 1].as_slice() };
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert!(key.verify(VERIFICATION, signed.as_bytes(), &signature).is_ok());
    assert!(key.verify(VERIFICATION, signed.to_lowercase().as_bytes(), &signature).is_err());
}

#[test]
fn a_key_is_named_by_its_thumbprint() {
    // The example of RFC 7638 section 3.1.
    let modulus = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCi\
                   FV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZg\
                   nYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniI\
                   qbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    assert_eq!(thumbprint(modulus, "AQAB"), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[test]
fn the_published_set_verifies_what_the_private_key_signs() {
    let keys = KeySet::new(fresh(), NOW);
    let document: Value = serde_json::from_slice(&keys.published(NOW).unwrap()).unwrap();
    let key = &document["keys"][0];
    for (member, expected) in
        [("kty", "RSA"), ("use", "sig"), ("alg", "RS256"), ("kid", keys.active().id()), ("e", "AQAB")]
    {
        assert_eq!(key[member], expected);
    }
    assert_eq!(key.as_object().unwrap().len(), 6, "nothing else is published");
    let n = URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap()).unwrap();
    let e = URL_SAFE_NO_PAD.decode(key["e"].as_str().unwrap()).unwrap();
    let public = PublicKeyComponents { n: n.as_slice(), e: e.as_slice() };
    let signature = keys.active().sign(b"message").unwrap();
    assert!(public.verify(VERIFICATION, b"message", &signature).is_ok());
    assert!(keys.active().is_signature(b"message", &signature) && !keys.active().is_signature(b"Message", &signature));
}

#[test]
fn after_rotation_old_tokens_live_out_their_time() {
    let first = KeySet::new(fresh(), NOW);
    let longest = token(&first, NOW, LIFETIME_SECONDS_MAX);
    let rotated = first.rotate(fresh(), NOW);
    assert_ne!(first.active().id(), rotated.active().id());
    assert_eq!(published_ids(&rotated, NOW), [rotated.active().id(), first.active().id()]);
    let last = NOW + LIFETIME_SECONDS_MAX + LEEWAY_SECONDS - 1;
    assert!(verify(&rotated, &longest, last).is_ok(), "to its last second");
    assert_eq!(verify(&rotated, &longest, last + 1), Err(TokenFault::UnknownKey), "and the key goes with it");
    assert_eq!(published_ids(&rotated, last + 1), [rotated.active().id()]);
    assert!(verify(&rotated, &token(&rotated, NOW, 60), NOW).is_ok());
    let again = rotated.rotate(fresh(), last + 1);
    assert!(again.find(first.active().id(), NOW).is_none(), "what is over is left out");
    assert!(again.find(rotated.active().id(), last + 1).is_some());
}

#[test]
fn rotation_is_due_after_its_time() {
    let keys = KeySet::new(fresh(), NOW);
    assert!(!keys.is_rotation_due(NOW + ROTATION_SECONDS - 1));
    assert!(keys.is_rotation_due(NOW + ROTATION_SECONDS));
    assert!(!keys.rotate(fresh(), NOW + ROTATION_SECONDS).is_rotation_due(NOW + ROTATION_SECONDS));
}

#[test]
fn rotating_without_end_keeps_the_set_bounded() {
    let key = fresh();
    let der: Pkcs8V1Der<'_> = key.pair.as_der().unwrap();
    let mut keys = KeySet::new(fresh(), NOW);
    for _ in 0..KEYS_MAX + 5 {
        keys = keys.rotate(SigningKey::from_pkcs8(der.as_ref()).unwrap(), NOW);
    }
    assert_eq!(keys.previous.len(), KEYS_MAX - 1);
    assert_eq!(KeySet::from_stored(&keys.to_stored().unwrap()).unwrap().previous.len(), KEYS_MAX - 1);
}

#[test]
fn a_stored_set_signs_and_verifies_as_before() {
    let keys = KeySet::new(fresh(), NOW).rotate(fresh(), NOW + 5);
    let stored = keys.to_stored().unwrap();
    let loaded = KeySet::from_stored(&stored).unwrap();
    assert_eq!(loaded.to_stored().unwrap(), stored);
    assert_eq!(loaded.active_since, NOW + 5);
    assert_eq!(loaded.published(NOW).unwrap(), keys.published(NOW).unwrap());
    assert!(verify(&keys, &token(&loaded, NOW, 60), NOW).is_ok());
}

#[test]
fn a_damaged_set_is_an_error_and_never_a_panic() {
    let stored = KeySet::new(fresh(), NOW).to_stored().unwrap();
    for length in 0..stored.len() {
        assert!(matches!(KeySet::from_stored(&stored[..length]), Err(Error::Stored { .. })), "cut to {length}");
    }
    let mut longer = stored.to_vec();
    longer.push(0);
    assert!(KeySet::from_stored(&longer).is_err());
    let mut newer = stored.to_vec();
    newer[3] += 1;
    assert!(KeySet::from_stored(&newer).is_err());
    let mut ended = stored.to_vec();
    ended[12] = 0;
    assert!(KeySet::from_stored(&ended).is_err(), "the first key has to be the active one");
    let mut huge = stored.to_vec();
    huge[20..24].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(KeySet::from_stored(&huge).is_err());
}

#[test]
fn nothing_shows_a_private_key() {
    let keys = KeySet::new(fresh(), NOW);
    let shown = format!("{keys:?}");
    assert!(shown.contains(keys.active().id()) && shown.len() < 300, "{shown}");
}
