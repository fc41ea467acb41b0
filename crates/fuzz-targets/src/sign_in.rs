//! Signing in: token requests, access tokens, addresses, and what is kept of credentials.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use custodia_identity::{
    Address, Addresses, ApplicationFacts, Directory, Error, FirstSignIn, GrantError, Guid, KeySet, PasswordAnswer,
    PasswordCheck, PasswordFacts, ProtocolVersion, RandomSource, RefreshFamily, RefreshToken, SecretDigest,
    SignInMethod, SigningKey, StoredSecret, Throttle, TokenEndpoint, TokenFault, TokenRequest, TokenUse, UserFacts,
    bearer_token, verify_token, www_authenticate,
};

/// The time of all requests.
const NOW: i64 = 1_700_000_000;
const ORGANIZATION: Guid = Guid::from_u128(0xf);
const USER: Guid = Guid::from_u128(0xa);
/// The application that inputs name: `0000000c-0000-4000-8000-00000000000c`.
const APPLICATION: Guid = Guid::from_u128(0x0000_000c_0000_4000_8000_0000_0000_000c);
/// Its secret.
const SECRET: &str = "the-secret-of-the-application";
/// In inputs it stands for the name of the key that signs, which differs from run to run.
const KEY_NAME: &str = "THE-KEY";

/// A service with one organisation: a key to sign with, in both of its forms, and a sign-in that can be refreshed.
struct Site {
    pair: KeyPair,
    keys: KeySet,
    root: Address,
    addresses: Addresses,
    family: RefreshFamily,
    refresh_token: RefreshToken,
}

fn site() -> &'static Site {
    static SITE: LazyLock<Site> = LazyLock::new(|| {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key is made");
        let der: Pkcs8V1Der<'_> = pair.as_der().expect("a key is written");
        let key = SigningKey::from_pkcs8(der.as_ref()).expect("the key is read");
        let base = Address::parse("https://crm.example").expect("it is an address");
        let sign_in = FirstSignIn {
            organization: ORGANIZATION,
            era: 0,
            user: USER,
            application: None,
            method: SignInMethod::Password,
            audience: base.to_string(),
        };
        let (family, refresh_token) = RefreshFamily::begin(sign_in, &Same, NOW - 60);
        Site {
            pair,
            keys: KeySet::new(key, NOW - 60),
            root: base.join("demo").expect("it is an address"),
            addresses: Addresses::new(&["demo"], &[base], &[]).expect("it is an address"),
            family,
            refresh_token,
        }
    });
    &SITE
}

impl Site {
    fn used(&self) -> TokenUse<'_> {
        TokenUse { organization: ORGANIZATION, addresses: &self.addresses }
    }

    /// A token with that header and those claims, as only we could make it.
    fn signed(&self, header: &str, claims: &str) -> String {
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let hash = digest(&SHA256, text.as_bytes());
        self.pair.sign_digest(&RSA_PKCS1_SHA256, &hash, &mut signature).expect("it is signed");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The same bytes each time.
struct Same;

impl RandomSource for Same {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

/// An access token: as it was sent, or, where there are two lines, header and claims, which are signed.
pub(crate) fn access_token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let site = site();
    let token = match text.split_once('\n') {
        Some((header, claims)) => site.signed(&header.replace(KEY_NAME, site.keys.active().id()), claims),
        None => text.to_owned(),
    };
    match verify_token(&token, &site.keys, &site.used(), NOW) {
        Ok(principal) => assert_eq!(principal.organization, ORGANIZATION),
        Err(fault) => check_challenge(site, &fault),
    }
    if let Some(token) = bearer_token(text) {
        assert!(!token.is_empty());
    }
}

/// That a refusal fits into a header.
fn check_challenge(site: &Site, fault: &TokenFault) {
    let value = www_authenticate(&site.root, Some(fault));
    assert!(value.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{value}");
}

/// A request to the token endpoint: in the first line the version of the protocol, `v1` or `v2`, and perhaps an
/// `Authorization` header; then the form. `REFRESH-TOKEN` in it stands for one that is good.
pub(crate) fn token_request(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (first, form) = data.split_at(end);
    let Ok(first) = std::str::from_utf8(first) else { return };
    let form = form.strip_prefix(b"\n").unwrap_or_default();
    let (version, authorization) = match first.split_at_checked(2) {
        Some(("v1", rest)) => (ProtocolVersion::V1, rest.trim()),
        Some((_, rest)) => (ProtocolVersion::V2, rest.trim()),
        None => (ProtocolVersion::V2, ""),
    };
    let site = site();
    let with_token = match std::str::from_utf8(form) {
        Ok(form) => form.replace("REFRESH-TOKEN", &site.refresh_token.expose()).into_bytes(),
        Err(_) => form.to_vec(),
    };
    let request = TokenRequest {
        version,
        authorization: (!authorization.is_empty()).then_some(authorization),
        body: &with_token,
        source: Some([192, 0, 2, 1].into()),
    };
    let endpoint = TokenEndpoint {
        directory: &People { site },
        keys: &site.keys,
        throttle: &Throttle::new(),
        random: &Same,
        organization: ORGANIZATION,
        era: 0,
        root: &site.root,
        addresses: &site.addresses,
    };
    let answer = endpoint.answer(&request, NOW);
    match now(answer) {
        Ok(granted) => {
            let body = granted.response.body().expect("an answer is written");
            let body: serde_json::Value = serde_json::from_slice(&body).expect("an answer is JSON");
            let token = body["access_token"].as_str().expect("there is a token");
            let principal = verify_token(token, &site.keys, &site.used(), NOW).expect("the token is good");
            assert_eq!(principal, granted.principal);
        }
        Err(GrantError::Refused(refusal)) => {
            assert!((400..500).contains(&refusal.status()), "{refusal:?}");
            let body: serde_json::Value = serde_json::from_slice(&refusal.body()).expect("a refusal is JSON");
            assert!(body["error"].as_str().is_some_and(|code| !code.is_empty()), "{body}");
            assert!(body["error_description"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
        }
        Err(error) => panic!("{error}"),
    }
}

/// The value of a future that waits for nothing.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("nothing here waits"),
    }
}

/// One user, whose name is `ada` and for whom every password is right, and one application.
struct People {
    site: &'static Site,
}

/// What never happens.
#[derive(Debug)]
struct Down;

impl std::fmt::Display for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the directory is down")
    }
}

impl std::error::Error for Down {}

fn ada() -> UserFacts {
    let password = Some(PasswordFacts { hash: String::new(), expires: None });
    UserFacts { id: USER, name: "ada".to_owned(), enabled: true, password, tokens_not_before: 0 }
}

impl Directory for People {
    type Error = Down;

    async fn find_user_by_name(&self, name: &str) -> Result<Option<UserFacts>, Down> {
        Ok((name == "ada").then(ada))
    }

    async fn find_user(&self, id: Guid) -> Result<Option<UserFacts>, Down> {
        Ok((id == USER).then(ada))
    }

    async fn find_application(&self, id: Guid) -> Result<Option<ApplicationFacts>, Down> {
        let secrets = vec![StoredSecret { digest: SecretDigest::of(SECRET), expires: None }];
        Ok((id == APPLICATION).then(|| ApplicationFacts { id, enabled: true, secrets, user: ada() }))
    }

    async fn check_password(&self, _: PasswordCheck) -> Result<Result<PasswordAnswer, Error>, Down> {
        Ok(Ok(PasswordAnswer::Right { replacement: None }))
    }

    async fn replace_password_hash(&self, _: Guid, _: &str, _: &str) -> Result<(), Down> {
        Ok(())
    }

    async fn find_refresh_family(&self, id: Guid) -> Result<Option<RefreshFamily>, Down> {
        Ok((id == self.site.family.id).then(|| self.site.family.clone()))
    }

    async fn add_refresh_family(&self, _: &RefreshFamily) -> Result<(), Down> {
        Ok(())
    }

    async fn replace_refresh_family(&self, _: &RefreshFamily) -> Result<bool, Down> {
        Ok(true)
    }
}

/// An address of the service, as the Host header and scopes bring it.
pub(crate) fn address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Address::parse(text) {
        Ok(address) => {
            assert_eq!(Address::parse(address.as_str()).as_ref(), Ok(&address), "the normal form is its own");
            assert!(address.as_str().bytes().all(|byte| byte.is_ascii_graphic()), "{address}");
            if let Ok(joined) = address.join("demo") {
                assert_eq!(joined.as_str(), format!("{address}/demo"));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// What is kept of credentials: families of refresh tokens, digests of secrets, sets of keys.
pub(crate) fn stored_credential(data: &[u8]) {
    if let Ok(keys) = KeySet::from_stored(data) {
        assert_eq!(keys.to_stored().expect("a set is written").as_slice(), data);
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(family) = RefreshFamily::from_stored(text) {
        let written = family.to_stored().expect("a family is written");
        assert_eq!(RefreshFamily::from_stored(&written).expect("what was written is read"), family);
        drop(family.present(&site().refresh_token, &Same, NOW));
    }
    if let Ok(digest) = SecretDigest::try_from(text.to_owned()) {
        assert!(SecretDigest::try_from(String::from(digest)).is_ok());
    }
    if let Some(token) = RefreshToken::parse(text) {
        assert_eq!(token.expose().as_str(), text);
    }
}
