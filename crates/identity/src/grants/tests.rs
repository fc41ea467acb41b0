use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt;
use parking_lot::Mutex;
use proptest::prelude::{prop_assert, proptest};
use serde_json::Value;

use super::*;
use crate::address::ProtocolVersion;
use crate::tests::{CountingRandom, NOW, Site, keys};
use crate::{Password, REPEAT_SECONDS, SOURCE_BACK_OFF, Secret, verify_token};

const ANNA: Guid = Guid::from_u128(0xA);
const PASSWORD: &str = "correct horse battery";
const APPLICATION: Guid = Guid::from_u128(0xC0);
const APPLICATION_USER: Guid = Guid::from_u128(0xC1);
const PUBLIC_APPLICATION: Guid = Guid::from_u128(0xC2);

/// A directory in memory, and everything else the endpoint needs.
struct Bench {
    site: Site,
    random: CountingRandom,
    throttle: Throttle,
    directory: Memory,
    secret: Secret,
    expired_secret: Secret,
}

#[derive(Default)]
struct Memory(Mutex<State>);

#[derive(Default)]
struct State {
    users: Vec<UserFacts>,
    applications: Vec<ApplicationFacts>,
    families: Vec<RefreshFamily>,
    /// What was asked and done, in order.
    log: Vec<&'static str>,
    /// Another request gets ahead of the next change of a family.
    overtake: Option<Overtake>,
    is_down: bool,
}

type Overtake = Box<dyn FnOnce(&mut RefreshFamily) + Send>;

#[derive(Debug, thiserror::Error)]
#[error("the database does not answer")]
struct Down;

impl Memory {
    fn ask(&self, what: &'static str) -> Result<parking_lot::MutexGuard<'_, State>, Down> {
        let mut state = self.0.lock();
        state.log.push(what);
        if state.is_down { Err(Down) } else { Ok(state) }
    }
}

impl Directory for Memory {
    type Error = Down;

    async fn find_user_by_name(&self, name: &str) -> Result<Option<UserFacts>, Down> {
        let state = self.ask("find user")?;
        Ok(state.users.iter().find(|user| user.name.eq_ignore_ascii_case(name)).cloned())
    }

    async fn find_user(&self, id: Guid) -> Result<Option<UserFacts>, Down> {
        Ok(self.ask("find user by id")?.users.iter().find(|user| user.id == id).cloned())
    }

    async fn find_application(&self, id: Guid) -> Result<Option<ApplicationFacts>, Down> {
        Ok(self.ask("find application")?.applications.iter().find(|application| application.id == id).cloned())
    }

    async fn check_password(&self, check: PasswordCheck) -> Result<Result<PasswordAnswer, Error>, Down> {
        drop(self.ask("check password")?);
        Ok(check.run())
    }

    async fn replace_password_hash(&self, user: Guid, replaced: &str, hash: &str) -> Result<(), Down> {
        let mut state = self.ask("replace hash")?;
        let password = state.users.iter_mut().find(|found| found.id == user).and_then(|user| user.password.as_mut());
        let password = password.filter(|password| password.hash == replaced).unwrap();
        password.hash = hash.to_owned();
        Ok(())
    }

    async fn find_refresh_family(&self, id: Guid) -> Result<Option<RefreshFamily>, Down> {
        Ok(self.ask("find family")?.families.iter().find(|family| family.id == id).cloned())
    }

    async fn add_refresh_family(&self, family: &RefreshFamily) -> Result<(), Down> {
        self.ask("add family")?.families.push(family.clone());
        Ok(())
    }

    async fn replace_refresh_family(&self, family: &RefreshFamily) -> Result<bool, Down> {
        let mut state = self.ask("replace family")?;
        let overtake = state.overtake.take();
        let stored = state.families.iter_mut().find(|stored| stored.id == family.id).unwrap();
        if let Some(overtake) = overtake {
            overtake(stored);
        }
        if stored.generation + 1 != family.generation {
            return Ok(false);
        }
        *stored = family.clone();
        Ok(true)
    }
}

impl Bench {
    fn new() -> Self {
        let random = CountingRandom::default();
        let (secret, expired_secret) = (Secret::generate(&random), Secret::generate(&random));
        let anna = user(ANNA, "anna@example.com", Some(Password::new(PASSWORD).hash(&random).unwrap()));
        let robot = user(APPLICATION_USER, "robot", None);
        let application = ApplicationFacts {
            id: APPLICATION,
            enabled: true,
            secrets: vec![
                StoredSecret { digest: expired_secret.digest(), expires: Some(NOW) },
                StoredSecret { digest: secret.digest(), expires: None },
            ],
            user: robot.clone(),
        };
        let public = ApplicationFacts { id: PUBLIC_APPLICATION, secrets: Vec::new(), ..application.clone() };
        let directory = Memory::default();
        directory.0.lock().users = vec![anna, robot];
        directory.0.lock().applications = vec![application, public];
        Self { site: Site::demo(), random, throttle: Throttle::new(), directory, secret, expired_secret }
    }

    fn anna(&self, change: impl FnOnce(&mut UserFacts)) {
        change(self.directory.0.lock().users.iter_mut().find(|user| user.id == ANNA).unwrap());
    }

    fn application(&self, change: impl FnOnce(&mut ApplicationFacts)) {
        change(self.directory.0.lock().applications.iter_mut().find(|found| found.id == APPLICATION).unwrap());
    }

    /// Nobody to sign in, and no password hashed.
    fn without_people() -> Self {
        let random = CountingRandom::default();
        Self {
            site: Site::demo(),
            throttle: Throttle::new(),
            directory: Memory::default(),
            secret: Secret::generate(&random),
            expired_secret: Secret::generate(&random),
            random,
        }
    }

    fn ask_as(
        &self,
        version: ProtocolVersion,
        authorization: Option<&str>,
        form: &[(&str, &str)],
        now: i64,
    ) -> Outcome {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.ask_raw(version, authorization, body.as_bytes(), now)
    }

    fn ask_raw(&self, version: ProtocolVersion, authorization: Option<&str>, body: &[u8], now: i64) -> Outcome {
        let request = TokenRequest { version, authorization, body, source: Some([192, 0, 2, 1].into()) };
        self.endpoint().answer(&request, now).now_or_never().expect("nothing here waits")
    }

    fn endpoint(&self) -> TokenEndpoint<'_, Memory> {
        TokenEndpoint {
            directory: &self.directory,
            keys: keys(),
            throttle: &self.throttle,
            random: &self.random,
            organization: self.site.organization,
            era: 0,
            root: &self.site.root,
            addresses: &self.site.addresses,
        }
    }

    fn ask(&self, form: &[(&str, &str)]) -> Outcome {
        self.ask_as(ProtocolVersion::V2, None, form, NOW)
    }

    fn refused(&self, form: &[(&str, &str)]) -> Refusal {
        refusal(self.ask(form))
    }

    fn sign_in(&self, name: &str, password: &str, now: i64) -> Outcome {
        let form =
            [("grant_type", "password"), ("username", name), ("password", password), ("scope", "offline_access")];
        self.ask_as(ProtocolVersion::V2, None, &form, now)
    }

    fn refresh(&self, token: &str, now: i64) -> Outcome {
        self.ask_as(ProtocolVersion::V2, None, &[("grant_type", "refresh_token"), ("refresh_token", token)], now)
    }

    fn log(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.directory.0.lock().log)
    }
}

type Outcome = Result<Granted, GrantError<Down>>;

fn user(id: Guid, name: &str, hash: Option<String>) -> UserFacts {
    let password = hash.map(|hash| PasswordFacts { hash, expires: None });
    UserFacts { id, name: name.to_owned(), enabled: true, password, tokens_not_before: 0 }
}

fn refusal(outcome: Outcome) -> Refusal {
    match outcome {
        Err(GrantError::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, not {other:?}"),
    }
}

fn body(outcome: Outcome) -> Value {
    serde_json::from_slice(&outcome.unwrap().response.body().unwrap()).unwrap()
}

fn refresh_token(outcome: Outcome) -> String {
    body(outcome)["refresh_token"].as_str().unwrap().to_owned()
}

/// The members of an object and whether each is a string (`s`) or a number (`n`).
fn shape(body: &Value) -> String {
    let kind = |value: &Value| {
        if value.is_string() {
            "s"
        } else if value.is_i64() {
            "n"
        } else {
            "?"
        }
    };
    let mut members: Vec<String> =
        body.as_object().unwrap().iter().map(|(name, value)| format!("{name}:{}", kind(value))).collect();
    members.sort();
    members.join(" ")
}

#[test]
fn a_password_gives_a_token_that_opens_the_organisation() {
    let bench = Bench::new();
    let form = [
        ("grant_type", "password"),
        ("username", " Anna@Example.com "),
        ("password", PASSWORD),
        ("scope", "http://127.0.0.1:8080/demo/.default openid profile offline_access"),
        ("client_id", "51f81489-12ee-4a9e-aaae-a2591f45987d"),
    ];
    let granted = bench.ask(&form).unwrap();
    assert_eq!(granted.kind, GrantKind::Password);
    assert_eq!(granted.principal.user, ANNA);
    assert_eq!(granted.principal.method, SignInMethod::Password);
    assert_eq!(granted.principal.application, None, "an application that only names itself counts for nothing");
    let verified = verify_token(&granted.response.access_token, keys(), &bench.site.used(), NOW);
    assert_eq!(verified, Ok(granted.principal));
    let body: Value = serde_json::from_slice(&granted.response.body().unwrap()).unwrap();
    assert_eq!(shape(&body), "access_token:s expires_in:n ext_expires_in:n refresh_token:s scope:s token_type:s");
    assert_eq!((&body["token_type"], &body["expires_in"]), (&Value::from("Bearer"), &Value::from(3600)));
    assert_eq!(body["scope"], "http://127.0.0.1:8080/demo/.default offline_access");
}

#[test]
fn without_offline_access_there_is_no_refresh_token() {
    let bench = Bench::new();
    let form = [("grant_type", "password"), ("username", "anna@example.com"), ("password", PASSWORD)];
    let body = body(bench.ask(&form));
    assert_eq!(shape(&body), "access_token:s expires_in:n ext_expires_in:n scope:s token_type:s");
    assert_eq!(body["scope"], "http://127.0.0.1:8080/demo/.default");
    assert!(!bench.log().contains(&"add family"));
}

#[test]
fn the_older_protocol_answers_numbers_as_strings() {
    let bench = Bench::new();
    let form = [
        ("grant_type", "password"),
        ("username", "anna@example.com"),
        ("password", PASSWORD),
        ("resource", "http://127.0.0.1:8080/demo/"),
    ];
    let granted = bench.ask_as(ProtocolVersion::V1, None, &form, NOW).unwrap();
    assert!(verify_token(&granted.response.access_token, keys(), &bench.site.used(), NOW).is_ok());
    let body: Value = serde_json::from_slice(&granted.response.body().unwrap()).unwrap();
    assert_eq!(
        shape(&body),
        "access_token:s expires_in:s expires_on:s ext_expires_in:s not_before:s refresh_token:s resource:s token_type:s"
    );
    assert_eq!(body["expires_in"], "3600");
    assert_eq!(body["expires_on"], (NOW + 3600).to_string());
    assert_eq!(body["resource"], "http://127.0.0.1:8080/demo");
}

#[test]
fn who_does_not_know_the_password_learns_nothing() {
    let bench = Bench::new();
    bench
        .directory
        .0
        .lock()
        .users
        .push(UserFacts { enabled: false, ..user(Guid::from_u128(0xB), "ben@example.com", None) });
    let wrong = refusal(bench.sign_in("anna@example.com", "wrong password", NOW));
    let steps = bench.log();
    assert_eq!((wrong.reason, wrong.user), (RefusalReason::WrongPassword, Some(ANNA)));
    let unknown = refusal(bench.sign_in("nobody@example.com", "wrong password", NOW));
    assert_eq!((unknown.reason, unknown.user), (RefusalReason::UnknownUser, None));
    assert_eq!(bench.log(), steps, "the same work is done, the hash among it");
    let without = refusal(bench.sign_in("ben@example.com", "wrong password", NOW));
    assert_eq!(without.reason, RefusalReason::NoPassword);
    assert_eq!(bench.log(), steps);
    let long = refusal(bench.sign_in(&"n".repeat(400), "wrong password", NOW));
    assert_eq!(long.reason, RefusalReason::UnknownUser);
    assert_eq!(bench.log(), ["check password"], "no name is that long");
    for refusal in [&wrong, &unknown, &without, &long] {
        assert_eq!(refusal.status(), 400);
        assert_eq!(
            refusal.body(),
            br#"{"error":"invalid_grant","error_description":"The user name or the password is wrong."}"#
        );
    }
}

#[test]
fn what_is_wrong_with_an_account_is_told_only_with_the_right_password() {
    let bench = Bench::new();
    bench.anna(|anna| anna.enabled = false);
    assert_eq!(refusal(bench.sign_in("anna@example.com", "wrong", NOW)).reason, RefusalReason::WrongPassword);
    let disabled = refusal(bench.sign_in("anna@example.com", PASSWORD, NOW));
    assert_eq!((disabled.code, disabled.reason), (ErrorCode::InvalidGrant, RefusalReason::DisabledUser));
    bench.anna(|anna| {
        anna.enabled = true;
        anna.password.as_mut().unwrap().expires = Some(NOW);
    });
    assert_eq!(refusal(bench.sign_in("anna@example.com", PASSWORD, NOW)).reason, RefusalReason::ExpiredPassword);
    assert!(bench.sign_in("anna@example.com", PASSWORD, NOW - 1).is_ok());
}

#[test]
fn a_hash_with_old_parameters_is_replaced_at_sign_in() {
    let bench = Bench::new();
    let old = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    bench.anna(|anna| anna.password.as_mut().unwrap().hash = old.to_owned());
    assert!(bench.sign_in("anna@example.com", "wrong", NOW).is_err());
    assert!(!bench.log().contains(&"replace hash"));
    assert!(bench.sign_in("anna@example.com", "password", NOW).is_ok());
    assert!(bench.log().contains(&"replace hash"));
    assert!(bench.sign_in("anna@example.com", "password", NOW).is_ok());
    assert!(!bench.log().contains(&"replace hash"));
}

#[test]
fn guessing_a_password_is_slowed_down_and_no_hash_is_computed_meanwhile() {
    let bench = Bench::new();
    for name in ["anna@example.com", "nobody@example.com"] {
        for _ in 0..11 {
            assert_eq!(refusal(bench.sign_in(name, "wrong password", NOW)).code, ErrorCode::InvalidGrant);
        }
        bench.log();
        let throttled = refusal(bench.sign_in(name, PASSWORD, NOW));
        assert_eq!(throttled.reason, RefusalReason::ThrottledAccount);
        assert_eq!((throttled.status(), throttled.retry_after_seconds), (429, Some(1)));
        assert!(!bench.log().contains(&"check password"));
    }
    assert!(bench.sign_in("anna@example.com", PASSWORD, NOW + 1).is_ok(), "after the wait the right one is let in");
    assert!(bench.sign_in("anna@example.com", PASSWORD, NOW + 1).is_ok(), "and all is forgotten");
}

#[test]
fn a_place_that_guesses_everything_is_slowed_down_for_every_grant() {
    let bench = Bench::new();
    let credentials = [("grant_type", "client_credentials"), ("client_id", "x"), ("client_secret", "guess")];
    for _ in 0..=SOURCE_BACK_OFF.free_failures {
        assert_eq!(bench.refused(&credentials).code, ErrorCode::InvalidClient);
    }
    for form in [
        &credentials[..],
        &[("grant_type", "password"), ("username", "anna@example.com"), ("password", PASSWORD)],
        &[("grant_type", "refresh_token"), ("refresh_token", "x")],
    ] {
        assert_eq!(bench.refused(form).reason, RefusalReason::ThrottledSource);
    }
}

#[test]
fn what_is_no_guess_is_not_counted() {
    let bench = Bench::new();
    bench.anna(|anna| anna.enabled = false);
    for _ in 0..20 {
        assert_eq!(refusal(bench.sign_in("anna@example.com", PASSWORD, NOW)).reason, RefusalReason::DisabledUser);
    }
    bench.directory.0.lock().is_down = true;
    for _ in 0..200 {
        assert!(matches!(bench.sign_in("anna@example.com", PASSWORD, NOW), Err(GrantError::Directory(Down))));
        assert_eq!(bench.refused(&[("grant_type", "password")]).code, ErrorCode::InvalidRequest);
    }
    bench.directory.0.lock().is_down = false;
    bench.anna(|anna| anna.enabled = true);
    assert!(bench.sign_in("anna@example.com", PASSWORD, NOW).is_ok());
}

#[test]
fn an_application_signs_in_as_its_own_user() {
    let bench = Bench::new();
    let id = APPLICATION.to_string();
    let in_form =
        [("grant_type", "client_credentials"), ("client_id", id.as_str()), ("client_secret", bench.secret.expose())];
    let granted = bench.ask(&in_form).unwrap();
    assert_eq!(granted.principal.user, APPLICATION_USER);
    assert_eq!(granted.principal.application, Some(APPLICATION));
    assert_eq!(granted.principal.method, SignInMethod::ClientSecret);
    assert_eq!(verify_token(&granted.response.access_token, keys(), &bench.site.used(), NOW), Ok(granted.principal));
    assert!(granted.response.refresh_token.is_none());

    let header = format!("Basic {}", STANDARD.encode(format!("{id}:{}", bench.secret.expose())));
    for (version, target) in [
        (ProtocolVersion::V1, ("resource", "http://127.0.0.1:8080/demo")),
        (ProtocolVersion::V2, ("scope", "http://127.0.0.1:8080/demo/.default")),
    ] {
        let form = [("grant_type", "client_credentials"), target];
        let granted = bench.ask_as(version, Some(&header), &form, NOW).unwrap();
        assert_eq!(granted.principal.application, Some(APPLICATION));
        assert!(granted.response.refresh_token.is_none(), "RFC 6749 section 4.4.3");
    }
}

#[test]
fn an_application_that_does_not_prove_itself_is_refused() {
    let bench = Bench::new();
    let (id, public) = (APPLICATION.to_string(), PUBLIC_APPLICATION.to_string());
    let unknown = Guid::from_u128(1).to_string();
    let secret = bench.secret.expose();
    for (client, given, code, reason) in [
        (id.as_str(), Some("wrong"), ErrorCode::InvalidClient, RefusalReason::WrongSecret),
        (&id, None, ErrorCode::InvalidClient, RefusalReason::WrongSecret),
        (&id, Some(bench.expired_secret.expose()), ErrorCode::InvalidClient, RefusalReason::ExpiredSecret),
        (&unknown, Some(secret), ErrorCode::InvalidClient, RefusalReason::UnknownApplication),
        (&unknown, None, ErrorCode::InvalidClient, RefusalReason::UnknownApplication),
        ("no-guid", Some(secret), ErrorCode::InvalidClient, RefusalReason::UnknownApplication),
        (&public, Some(secret), ErrorCode::InvalidClient, RefusalReason::WrongSecret),
        (&public, None, ErrorCode::UnauthorizedClient, RefusalReason::PublicApplication),
    ] {
        let mut form = vec![("grant_type", "client_credentials"), ("client_id", client)];
        form.extend(given.map(|secret| ("client_secret", secret)));
        let refusal = bench.refused(&form);
        assert_eq!((refusal.code, refusal.reason), (code, reason), "{client} {given:?}");
        assert_eq!(refusal.status(), if code == ErrorCode::InvalidClient { 401 } else { 400 });
        assert_eq!(refusal.www_authenticate(), None, "no challenge to who did not use the header");
    }
    let header = format!("Basic {}", STANDARD.encode(format!("{id}:wrong")));
    let outcome = bench.ask_as(ProtocolVersion::V2, Some(&header), &[("grant_type", "client_credentials")], NOW);
    assert!(refusal(outcome).www_authenticate().unwrap().starts_with("Basic "));
    assert_eq!(bench.refused(&[("grant_type", "client_credentials")]).code, ErrorCode::InvalidRequest);
}

#[test]
fn a_disabled_application_or_user_gets_no_token() {
    let bench = Bench::new();
    let id = APPLICATION.to_string();
    let form =
        [("grant_type", "client_credentials"), ("client_id", id.as_str()), ("client_secret", bench.secret.expose())];
    bench.application(|application| application.user.enabled = false);
    assert_eq!(bench.refused(&form).reason, RefusalReason::DisabledUser);
    bench.application(|application| application.enabled = false);
    assert_eq!(bench.refused(&form).reason, RefusalReason::DisabledApplication);
}

#[test]
fn an_application_with_secrets_proves_itself_also_for_its_users() {
    let bench = Bench::new();
    let id = APPLICATION.to_string();
    let mut form = vec![
        ("grant_type", "password"),
        ("username", "anna@example.com"),
        ("password", PASSWORD),
        ("client_id", id.as_str()),
        ("scope", "offline_access"),
    ];
    assert_eq!(bench.refused(&form).code, ErrorCode::InvalidClient);
    form.push(("client_secret", bench.secret.expose()));
    let granted = bench.ask(&form).unwrap();
    assert_eq!((granted.principal.user, granted.principal.application), (ANNA, Some(APPLICATION)));
    let token = granted.response.refresh_token.unwrap();

    // The refresh token is the application's: nobody else uses it, or ends the family by trying.
    for (client, secret, code) in [
        (None, None, ErrorCode::InvalidGrant),
        (Some(PUBLIC_APPLICATION.to_string()), None, ErrorCode::InvalidGrant),
        (Some(id.clone()), None, ErrorCode::InvalidClient),
        (Some(id.clone()), Some("wrong"), ErrorCode::InvalidClient),
    ] {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        form.extend(client.as_deref().map(|client| ("client_id", client)));
        form.extend(secret.map(|secret| ("client_secret", secret)));
        assert_eq!(bench.refused(&form).code, code);
    }
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str()),
        ("client_id", id.as_str()),
        ("client_secret", bench.secret.expose()),
    ];
    let granted = bench.ask(&form).unwrap();
    assert_eq!((granted.principal.application, granted.principal.method), (Some(APPLICATION), SignInMethod::Password));
}

#[test]
fn a_refresh_token_gives_a_token_and_its_successor() {
    let bench = Bench::new();
    let first = refresh_token(bench.sign_in("anna@example.com", PASSWORD, NOW));
    let granted = bench.refresh(&first, NOW + 100).unwrap();
    assert_eq!((granted.kind, granted.principal.user), (GrantKind::RefreshToken, ANNA));
    assert_eq!(granted.principal.expires, NOW + 100 + LIFETIME_SECONDS);
    let second = granted.response.refresh_token.unwrap();
    assert_ne!(first, *second);
    assert_eq!(refresh_token(bench.refresh(&first, NOW + 101)), *second, "a lost answer is given again");
    let third = refresh_token(bench.refresh(&second, NOW + 200));
    let reused = refusal(bench.refresh(&first, NOW + 201));
    assert_eq!((reused.reason, reused.user), (RefusalReason::ReusedRefreshToken, Some(ANNA)));
    assert_eq!(refusal(bench.refresh(&third, NOW + 202)).reason, RefusalReason::RevokedRefreshToken);
    let unknown = refusal(bench.refresh("x", NOW));
    for refusal in [reused, unknown] {
        assert_eq!(refusal.description, WRONG_REFRESH_TOKEN, "why is not told");
        assert_eq!((refusal.code, refusal.status()), (ErrorCode::InvalidGrant, 400));
    }
    let foreign = Bench::new();
    let unknown_family = refusal(foreign.refresh(&third, NOW + 203));
    assert_eq!(unknown_family.reason, RefusalReason::UnknownRefreshToken);
}

#[test]
fn after_the_time_of_repetition_the_last_token_counts_as_reused() {
    let bench = Bench::new();
    let first = refresh_token(bench.sign_in("anna@example.com", PASSWORD, NOW));
    bench.refresh(&first, NOW).unwrap();
    assert_eq!(refusal(bench.refresh(&first, NOW + REPEAT_SECONDS + 1)).reason, RefusalReason::ReusedRefreshToken);
}

#[test]
fn two_refreshes_at_once_get_the_same_successor() {
    let bench = Bench::new();
    let first = refresh_token(bench.sign_in("anna@example.com", PASSWORD, NOW));
    let token = RefreshToken::parse(&first).unwrap();
    bench.directory.0.lock().overtake =
        Some(Box::new(move |stored| match stored.present(&token, &CountingRandom::default(), NOW) {
            Presented::Rotated { family, .. } => *stored = family,
            other => panic!("{other:?}"),
        }));
    let second = refresh_token(bench.refresh(&first, NOW));
    assert_eq!(bench.directory.0.lock().families[0].generation, 1, "one rotation, not two");
    assert_eq!(refresh_token(bench.refresh(&first, NOW)), second);
    assert!(bench.refresh(&second, NOW).is_ok());
}

#[test]
fn a_family_that_is_ended_meanwhile_gives_no_token() {
    let bench = Bench::new();
    let first = refresh_token(bench.sign_in("anna@example.com", PASSWORD, NOW));
    bench.directory.0.lock().overtake = Some(Box::new(|stored| *stored = stored.end()));
    assert_eq!(refusal(bench.refresh(&first, NOW)).reason, RefusalReason::RevokedRefreshToken);
}

#[test]
fn a_sign_in_ends_with_its_user() {
    let bench = Bench::new();
    let token = refresh_token(bench.sign_in("anna@example.com", PASSWORD, NOW));
    bench.anna(|anna| anna.enabled = false);
    assert_eq!(refusal(bench.refresh(&token, NOW)).reason, RefusalReason::DisabledUser);
    bench.anna(|anna| {
        anna.enabled = true;
        anna.tokens_not_before = NOW + 1;
    });
    assert_eq!(refusal(bench.refresh(&token, NOW)).reason, RefusalReason::RevokedRefreshToken);
    // Signing in again in the second of the revocation begins a family that outlives it.
    let granted = bench.sign_in("anna@example.com", PASSWORD, NOW).unwrap();
    assert_eq!(granted.principal.issued, NOW + 1);
    assert!(bench.refresh(&granted.response.refresh_token.unwrap(), NOW + 1).is_ok());
    let token = refresh_token(bench.sign_in("anna@example.com", PASSWORD, NOW));
    bench.directory.0.lock().users.clear();
    assert_eq!(refusal(bench.refresh(&token, NOW + 1)).reason, RefusalReason::UnknownUser);
}

/// The answer to a refresh token at an endpoint.
fn refresh_at(endpoint: &TokenEndpoint<'_, Memory>, token: &str) -> Outcome {
    let body = format!("grant_type=refresh_token&refresh_token={token}");
    let request = TokenRequest {
        version: ProtocolVersion::V2,
        authorization: None,
        body: body.as_bytes(),
        source: Some([192, 0, 2, 1].into()),
    };
    endpoint.answer(&request, NOW).now_or_never().unwrap()
}

/// A copy of an organisation has its users and its families.
#[test]
fn a_refresh_token_opens_its_own_organisation_only() {
    let bench = Bench::new();
    let token = refresh_token(bench.sign_in("anna@example.com", PASSWORD, NOW));
    let copy = TokenEndpoint { organization: Guid::from_u128(0xC0B7), ..bench.endpoint() };
    assert_eq!(refusal(refresh_at(&copy, &token)).reason, RefusalReason::ForeignRefreshToken);
    // One of an older program does not tell; and nothing was used up.
    bench.directory.0.lock().families[0].organization = None;
    let token = refresh_token(refresh_at(&copy, &token));
    bench.directory.0.lock().families[0].organization = Some(bench.site.organization);
    assert!(refresh_at(&bench.endpoint(), &token).is_ok());
}

#[test]
fn no_refresh_token_outlives_its_era() {
    let bench = Bench::new();
    let token = refresh_token(bench.sign_in("anna@example.com", PASSWORD, NOW));
    let later = TokenEndpoint { era: 1, ..bench.endpoint() };
    assert_eq!(refusal(refresh_at(&later, &token)).reason, RefusalReason::RevokedRefreshToken);
    assert!(refresh_at(&bench.endpoint(), &token).is_ok());
}

#[test]
fn a_refresh_may_ask_for_another_of_our_addresses_only() {
    let bench = Bench::new();
    let token = refresh_token(bench.sign_in("anna@example.com", PASSWORD, NOW));
    let form = |scope| [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", scope)];
    assert_eq!(bench.refused(&form("https://elsewhere.example/.default")).code, ErrorCode::InvalidScope);
    let granted = bench.ask(&form("https://crm.example/demo/.default")).unwrap();
    assert_eq!(granted.response.audience.as_str(), "https://crm.example/demo");
}

#[test]
fn grants_that_are_not_served_are_named_as_such() {
    let bench = Bench::new();
    for grant in ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code", "implicit", "PASSWORD"] {
        let refusal = bench.refused(&[("grant_type", grant), ("code", "x")]);
        assert_eq!((refusal.code, refusal.status()), (ErrorCode::UnsupportedGrantType, 400));
    }
    assert_eq!(bench.refused(&[("username", "x")]).code, ErrorCode::InvalidRequest);
    assert_eq!(bench.refused(&[("grant_type", "refresh_token")]).code, ErrorCode::InvalidRequest);
    assert!(bench.log().is_empty(), "nothing was looked up");
}

#[test]
fn every_error_code_is_spelled_as_the_standard_has_it() {
    for (code, expected) in [
        (ErrorCode::InvalidRequest, "invalid_request"),
        (ErrorCode::InvalidClient, "invalid_client"),
        (ErrorCode::InvalidGrant, "invalid_grant"),
        (ErrorCode::UnauthorizedClient, "unauthorized_client"),
        (ErrorCode::UnsupportedGrantType, "unsupported_grant_type"),
        (ErrorCode::InvalidScope, "invalid_scope"),
        (ErrorCode::InvalidResource, "invalid_resource"),
        (ErrorCode::UnsupportedResponseType, "unsupported_response_type"),
        (ErrorCode::TemporarilyUnavailable, "temporarily_unavailable"),
    ] {
        let body: Value = serde_json::from_slice(&code.body("why")).unwrap();
        assert_eq!((&body["error"], &body["error_description"]), (&Value::from(expected), &Value::from("why")));
    }
}

#[test]
fn tokens_are_issued_only_in_the_name_of_the_organisation() {
    let bench = Bench::new();
    let other = Site::other();
    let endpoint = TokenEndpoint { root: &other.root, ..bench.endpoint() };
    let request = TokenRequest {
        version: ProtocolVersion::V2,
        authorization: None,
        body: b"",
        source: Some([192, 0, 2, 1].into()),
    };
    let outcome = endpoint.answer(&request, NOW).now_or_never().unwrap();
    assert!(matches!(outcome, Err(GrantError::Failed(Error::Address { .. }))));
}

#[test]
fn nothing_shows_a_token_or_a_secret() {
    let bench = Bench::new();
    let granted = bench.sign_in("anna@example.com", PASSWORD, NOW).unwrap();
    let shown = format!("{granted:?} {:?}", bench.directory.0.lock().users);
    for secret in
        [&granted.response.access_token, granted.response.refresh_token.as_ref().unwrap().as_str(), "$argon2id"]
    {
        assert!(!shown.contains(secret), "{shown}");
    }
}

proptest! {
    #[test]
    fn no_request_brings_the_endpoint_down(
        body in "(grant_type=(refresh_token|client_credentials)&)?([a-z_]{1,13}=.{0,20}&){0,4}(refresh_token|client_id)=.{0,80}",
        authorization in proptest::option::of("(Basic|Bearer)? ?[A-Za-z0-9+/=]{0,30}"),
    ) {
        let bench = Bench::without_people();
        let outcome = bench.ask_raw(ProtocolVersion::V1, authorization.as_deref(), body.as_bytes(), NOW);
        let answered: Value = serde_json::from_slice(&refusal(outcome).body()).unwrap();
        prop_assert!(answered["error"].is_string());
    }
}

/// A server runs the endpoint on threads of its choice.
#[test]
fn answering_can_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let bench = Bench::new();
    let request = TokenRequest {
        version: ProtocolVersion::V2,
        authorization: None,
        body: b"",
        source: Some([192, 0, 2, 1].into()),
    };
    is_send(&bench.endpoint().answer(&request, NOW));
}
