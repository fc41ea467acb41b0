use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::SigningKey;
use crate::tests::{CountingRandom, NOW, Site, keys};

fn issue(site: &Site) -> IssuedToken {
    issue_token(&site.content(), keys(), &CountingRandom::default(), NOW).unwrap()
}

fn verify(token: &str) -> Result<Principal, TokenFault> {
    verify_token(token, keys(), &Site::demo().used(), NOW)
}

fn part(token: &str, index: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

/// A token with this header and these claims, signed with our own key: what only a fault of ours could make.
fn signed(header: &Value, claims: &Value) -> String {
    let signed =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = keys().active().sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Verifies a good token after one claim was changed (`null` takes it out) and the token signed again.
fn with_claim(name: &str, value: Value) -> Result<Principal, TokenFault> {
    let token = issue(&Site::demo()).text;
    let mut claims = part(&token, 1);
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    verify(&signed(&part(&token, 0), &claims))
}

#[test]
fn a_token_says_who_bears_it() {
    let site = Site::demo();
    let mut content = site.content();
    content.application = Some(Guid::from_u128(0xC));
    content.lifetime_seconds = 600;
    let issued = issue_token(&content, keys(), &CountingRandom::default(), NOW).unwrap();
    let expected = Principal {
        organization: site.organization,
        user: Guid::from_u128(0xA),
        application: Some(Guid::from_u128(0xC)),
        method: SignInMethod::Password,
        token_id: issued.principal.token_id,
        issued: NOW,
        expires: NOW + 600,
    };
    assert_eq!(issued.principal, expected);
    assert_eq!(verify(&issued.text), Ok(expected));
    assert!(!issued.principal.token_id.is_nil());
}

#[test]
fn the_claims_are_those_that_clients_know() {
    let site = Site::demo();
    let token = issue(&site).text;
    assert_eq!(part(&token, 0), json!({"typ": "JWT", "alg": "RS256", "kid": keys().active().id()}));
    let user = "00000000-0000-0000-0000-00000000000a";
    let claims = part(&token, 1);
    let expected = json!({
        "aud": "http://127.0.0.1:8080/demo", "iss": "http://127.0.0.1:8080/demo/v2.0",
        "iat": NOW, "nbf": NOW, "exp": NOW + 3600,
        "tid": "00000000-0000-0000-0000-00000000000d", "oid": user, "sub": user, "upn": "anna@example.com",
        "idtyp": "user", "scp": "user_impersonation", "amr": ["pwd"], "jti": claims["jti"], "ver": "2.0",
    });
    assert_eq!(claims, expected);

    let mut content = site.content();
    content.version = ProtocolVersion::V1;
    content.method = SignInMethod::ClientSecret;
    content.application = Some(Guid::from_u128(0xC));
    let claims = part(&issue_token(&content, keys(), &CountingRandom::default(), NOW).unwrap().text, 1);
    assert_eq!(claims["iss"], "http://127.0.0.1:8080/demo/");
    assert_eq!(claims["ver"], "1.0");
    assert_eq!(claims["idtyp"], "app");
    assert_eq!(claims["appid"], "00000000-0000-0000-0000-00000000000c");
    assert_eq!(claims["amr"], json!(["client_secret"]));
    assert!(claims.get("upn").is_none() && claims.get("scp").is_none());
}

#[test]
fn no_byte_of_a_token_can_be_changed() {
    let token = issue(&Site::demo()).text;
    assert!(verify(&token).is_ok());
    for position in 0..token.len() {
        for replacement in [b'A', b'_', b'.', b'='] {
            let mut bytes = token.clone().into_bytes();
            if bytes[position] == replacement {
                continue;
            }
            bytes[position] = replacement;
            let changed = String::from_utf8(bytes).unwrap();
            assert!(verify(&changed).is_err(), "byte {position} to {}", char::from(replacement));
        }
    }
}

#[test]
fn parts_cannot_be_taken_from_another_token() {
    let (site, other, random) = (Site::demo(), Site::other(), CountingRandom::default());
    let here = issue_token(&site.content(), keys(), &random, NOW).unwrap().text;
    let there = issue_token(&other.content(), keys(), &random, NOW).unwrap().text;
    let here: Vec<&str> = here.split('.').collect();
    let there: Vec<&str> = there.split('.').collect();
    assert_eq!(verify(&[here[0], here[1], there[2]].join(".")), Err(TokenFault::Signature));
    assert_eq!(verify(&[here[0], there[1], here[2]].join(".")), Err(TokenFault::Signature));
    for shape in [
        here[..2].join("."),
        format!("{}.", here[..2].join(".")),
        format!("{}.x", here.join(".")),
        format!(".{}", here.join(".")),
        here[1].to_owned(),
        "..".to_owned(),
        String::new(),
    ] {
        assert!(verify(&shape).is_err(), "{shape}");
    }
}

#[test]
fn only_our_algorithm_is_accepted() {
    let token = issue(&Site::demo()).text;
    let (header, claims) = (part(&token, 0), part(&token, 1));
    for algorithm in ["none", "None", "NONE", "HS256", "RS384", "RS512", "PS256", "ES256", "rs256", ""] {
        let mut header = header.clone();
        header["alg"] = json!(algorithm);
        assert_eq!(verify(&signed(&header, &claims)), Err(TokenFault::Algorithm), "{algorithm}");
        // Without a signature, as forgers of `none` send it.
        let unsigned =
            format!("{}.{}.", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        assert_eq!(verify(&unsigned), Err(TokenFault::Algorithm), "{algorithm}");
    }
}

#[test]
fn the_public_key_is_no_shared_secret() {
    // The old trick: sign with HMAC, the published key being the secret, and leave the name of the algorithm.
    let token = issue(&Site::demo()).text;
    let (signed, _) = token.rsplit_once('.').unwrap();
    let published = keys().published(NOW).unwrap();
    let forged =
        aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &published), signed.as_bytes());
    assert_eq!(verify(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode(forged))), Err(TokenFault::Signature));
}

#[test]
fn a_key_of_somebody_else_is_refused_whatever_it_is_called() {
    let site = Site::demo();
    let foreign = KeySet::new(SigningKey::generate().unwrap(), NOW);
    let token = issue_token(&site.content(), &foreign, &CountingRandom::default(), NOW).unwrap().text;
    assert_eq!(verify(&token), Err(TokenFault::UnknownKey));
    // Under our key's name.
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": keys().active().id()});
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), token.split('.').nth(1).unwrap());
    let signature = foreign.active().sign(signed.as_bytes()).unwrap();
    assert_eq!(verify(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))), Err(TokenFault::Signature));
    // Bringing the key along, by value or by address, changes nothing.
    let claims = part(&token, 1);
    for (member, value) in [
        ("jwk", serde_json::from_slice::<Value>(&foreign.published(NOW).unwrap()).unwrap()["keys"][0].clone()),
        ("jku", json!("http://127.0.0.1/keys")),
    ] {
        let mut header = json!({"typ": "JWT", "alg": "RS256", "kid": foreign.active().id()});
        header[member] = value;
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = foreign.active().sign(signed.as_bytes()).unwrap();
        assert_eq!(verify(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))), Err(TokenFault::UnknownKey));
    }
}

#[test]
fn odd_headers_are_refused() {
    let token = issue(&Site::demo()).text;
    let (header, claims) = (part(&token, 0), part(&token, 1));
    for (member, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!(false)),
        ("typ", json!("at+jwt")),
        ("kid", json!(7)),
        ("alg", json!(null)),
    ] {
        let mut header = header.clone();
        header[member] = value;
        assert_eq!(verify(&signed(&header, &claims)), Err(TokenFault::Malformed), "{member}");
    }
    let mut short = header.clone();
    short.as_object_mut().unwrap().remove("typ");
    assert!(verify(&signed(&short, &claims)).is_ok(), "the type may be left out (RFC 7519 section 5.1)");
    short.as_object_mut().unwrap().remove("kid");
    assert_eq!(verify(&signed(&short, &claims)), Err(TokenFault::Malformed));
    let twice = format!(r#"{{"alg":"RS256","kid":"{}","alg":"none"}}"#, keys().active().id());
    let twice = format!("{}.{}.", URL_SAFE_NO_PAD.encode(twice), URL_SAFE_NO_PAD.encode(claims.to_string()));
    assert_eq!(verify(&twice), Err(TokenFault::Malformed));
}

#[test]
fn a_token_opens_its_own_organisation_only() {
    let (site, other) = (Site::demo(), Site::other());
    let token = issue(&site).text;
    assert_eq!(verify_token(&token, keys(), &other.used(), NOW), Err(TokenFault::Organization));
    // Two organisations that share every address still differ by id.
    let shared = TokenUse { organization: other.organization, addresses: &site.addresses };
    assert_eq!(verify_token(&token, keys(), &shared, NOW), Err(TokenFault::Organization));
    // And the same id under foreign addresses is another installation.
    let moved = TokenUse { organization: site.organization, addresses: &other.addresses };
    assert_eq!(verify_token(&token, keys(), &moved, NOW), Err(TokenFault::Issuer));
}

#[test]
fn a_token_issued_under_one_address_is_good_under_each() {
    let site = Site::demo();
    for root in ["http://127.0.0.1:8080/demo", "https://crm.example/demo", "https://demo.crm.example"] {
        for audience in
            ["http://127.0.0.1:8080", "https://crm.example", "https://demo.crm.example", "https://crm.example/demo"]
        {
            let (root, audience) = (Address::parse(root).unwrap(), Address::parse(audience).unwrap());
            for version in [ProtocolVersion::V1, ProtocolVersion::V2] {
                let content = TokenContent { root: &root, audience: &audience, version, ..site.content() };
                let token = issue_token(&content, keys(), &CountingRandom::default(), NOW).unwrap().text;
                assert!(verify(&token).is_ok(), "{root} {audience}");
            }
        }
    }
}

#[test]
fn the_audience_has_to_be_ours() {
    for audience in [
        json!("http://127.0.0.1:8080/other"),
        json!("http://127.0.0.1:8080/demo/"),
        json!("http://127.0.0.1:8080/demo/.default"),
        json!("https://elsewhere.example"),
        json!(""),
    ] {
        assert_eq!(with_claim("aud", audience.clone()), Err(TokenFault::Audience), "{audience}");
    }
    assert_eq!(with_claim("aud", json!(["http://127.0.0.1:8080/demo"])), Err(TokenFault::Malformed));
    assert_eq!(with_claim("iss", json!("http://127.0.0.1:8080/other/v2.0")), Err(TokenFault::Issuer));
}

#[test]
fn a_token_has_a_beginning_and_an_end() {
    let site = Site::demo();
    let issued = issue(&site);
    let at = |now| verify_token(&issued.text, keys(), &site.used(), now);
    let (first, last) = (NOW - LEEWAY_SECONDS, issued.principal.expires + LEEWAY_SECONDS - 1);
    assert!(at(first).is_ok() && at(NOW).is_ok() && at(last).is_ok());
    assert_eq!(at(first - 1), Err(TokenFault::NotYetValid));
    assert_eq!(at(last + 1), Err(TokenFault::Expired));
    assert_eq!(at(i64::MAX), Err(TokenFault::Expired));
    assert_eq!(at(i64::MIN), Err(TokenFault::NotYetValid));
    assert_eq!(with_claim("nbf", json!(NOW + LEEWAY_SECONDS + 1)), Err(TokenFault::NotYetValid));
    // Tokens were ended while the clock was hours ahead: one that is issued now counts from then, and is good now.
    let content = TokenContent { tokens_not_before: NOW + 12 * 3600, ..site.content() };
    let later = issue_token(&content, keys(), &CountingRandom::default(), NOW).unwrap();
    let verified = verify_token(&later.text, keys(), &site.used(), NOW).unwrap();
    assert_eq!((verified.issued, verified.expires), (NOW + 12 * 3600, issued.principal.expires));
}

#[test]
fn every_claim_that_counts_is_required_and_typed() {
    for name in ["aud", "iss", "iat", "nbf", "exp", "tid", "oid", "sub", "amr", "jti"] {
        assert_eq!(with_claim(name, Value::Null), Err(TokenFault::Malformed), "without {name}");
        assert_eq!(with_claim(name, json!({})), Err(TokenFault::Malformed), "{name} of another kind");
    }
    assert!(with_claim("upn", Value::Null).is_ok());
    assert!(with_claim("more", json!([1, 2])).is_ok());
    assert_eq!(with_claim("appid", json!("x")), Err(TokenFault::Malformed));
    assert_eq!(with_claim("exp", json!(1e20)), Err(TokenFault::Malformed));
    assert_eq!(with_claim("exp", json!((NOW + 60).to_string())), Err(TokenFault::Malformed));
    assert_eq!(with_claim("amr", json!(["pwd", "pwd"])), Err(TokenFault::Malformed));
    assert_eq!(with_claim("amr", json!(["magic"])), Err(TokenFault::Malformed));
    assert_eq!(with_claim("sub", json!(Guid::from_u128(9))), Err(TokenFault::Malformed));
}

#[test]
fn a_lifetime_has_bounds() {
    let site = Site::demo();
    for (lifetime_seconds, fits) in
        [(0, false), (-1, false), (1, true), (LIFETIME_SECONDS_MAX, true), (LIFETIME_SECONDS_MAX + 1, false)]
    {
        let content = TokenContent { lifetime_seconds, ..site.content() };
        let outcome = issue_token(&content, keys(), &CountingRandom::default(), NOW);
        match outcome {
            Ok(_) => assert!(fits, "{lifetime_seconds}"),
            Err(error) => assert_eq!((error, fits), (Error::Lifetime { asked: lifetime_seconds }, false)),
        }
    }
}

#[test]
fn a_token_is_never_shown_by_accident() {
    let issued = issue(&Site::demo());
    let shown = format!("{issued:?}");
    assert!(!shown.contains(issued.text.rsplit('.').next().unwrap()));
}

#[test]
fn a_token_that_is_too_long_is_not_read() {
    let token = issue(&Site::demo()).text;
    assert!(token.len() < TOKEN_BYTES_MAX / 4);
    assert_eq!(verify(&format!("{}{token}", "A".repeat(TOKEN_BYTES_MAX))), Err(TokenFault::Malformed));
}

proptest! {
    #[test]
    fn no_bytes_bring_verification_down(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(verify(&String::from_utf8_lossy(&bytes)).is_err());
    }

    #[test]
    fn no_parts_bring_verification_down(header in ".{0,80}", claims in ".{0,80}", signature in proptest::collection::vec(any::<u8>(), 0..300)) {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let token = format!("{}.{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()), encode(&signature));
        prop_assert!(verify(&token).is_err());
        // With a good header, the signature is what is looked at.
        let header = json!({"alg": "RS256", "kid": keys().active().id()}).to_string();
        let token = format!("{}.{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()), encode(&signature));
        prop_assert_eq!(verify(&token), Err(TokenFault::Signature));
    }

    #[test]
    fn no_claims_bring_verification_down(claims in ".{0,120}") {
        let header = json!({"alg": "RS256", "kid": keys().active().id()}).to_string();
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = keys().active().sign(signed.as_bytes()).unwrap();
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        prop_assert!(verify(&token).is_err());
    }
}
