//! Clients of the balancer: they try again where they are told to or hear nothing, and count what they met.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::{Answer, Client};
use crate::pair::{ADA, below_api};
use crate::site::until;
use crate::writer::{Journal, Writer};

/// Clients that write at one time.
const WRITERS: usize = 5;
/// Accounts that nobody changes: every reader finds each of them once.
const STEADY: usize = 60;
/// Rows of a reader's page.
const PAGE: &str = "odata.maxpagesize=40";
/// What says: try again.
const RETRIABLE: [u16; 4] = [429, 502, 503, 504];
/// How long a client waits before it tries again.
const PAUSE: Duration = Duration::from_millis(20);
/// How often a client tries at most: a minute of pauses alone.
const TRIES_MAX: usize = 3_000;

/// All clients together.
pub struct Clients {
    client: Client,
    token: String,
    password: String,
    over: AtomicBool,
    done: AtomicUsize,
    met: Mutex<BTreeMap<String, usize>>,
}

/// The end of the load, also when a test fails in its middle.
struct End<'c>(&'c AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Clients {
    pub fn new(client: Client, token: &str, password: &str) -> Self {
        Self {
            client,
            token: token.to_owned(),
            password: password.to_owned(),
            over: AtomicBool::new(false),
            done: AtomicUsize::new(0),
            met: Mutex::default(),
        }
    }

    /// What was met instead of an answer, and how often.
    pub fn met(&self) -> BTreeMap<String, usize> {
        self.met.lock().unwrap().clone()
    }

    /// How many writes were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    /// Waits until so many more were.
    pub fn wait_for_more(&self, count: usize) {
        let before = self.acknowledged();
        until("more writes", || (self.acknowledged() >= before + count).then_some(()));
    }

    /// Runs all of them until `disturb` has ended; what they were promised.
    pub fn run(&self, disturb: impl FnOnce()) -> Journal {
        let steady = (0..STEADY).map(|number| {
            let id = format!("00000000-0000-4000-8000-{number:012x}");
            let body = json!({ "accountid": id, "name": format!("steady {number}"), "numberofemployees": 0 });
            self.insist("POST", "accounts", &[], Some(&body)).0.expect(204);
            (id, 0)
        });
        let mut journal = Journal { accounts: steady.collect(), ..Journal::default() };
        let steady: Vec<String> = journal.accounts.keys().cloned().collect();
        let follower = std::thread::scope(|scope| {
            let writers: Vec<_> = (1..=WRITERS)
                .map(|number| {
                    scope.spawn(move || {
                        let mut writer = Writer::new(number);
                        while !self.over.load(Ordering::SeqCst) {
                            writer.step(self);
                        }
                        writer.journal
                    })
                })
                .collect();
            scope.spawn(|| self.read_pages(&steady));
            scope.spawn(|| self.sign_in());
            let follower = scope.spawn(|| {
                let mut follower = Follower::begin(self);
                while !self.over.load(Ordering::SeqCst) {
                    follower.follow(self);
                }
                follower
            });
            let end = End(&self.over);
            disturb();
            drop(end);
            for writer in writers {
                journal.append(writer.join().unwrap());
            }
            follower.join().unwrap()
        });
        let mut follower = follower;
        follower.follow(self);
        assert_eq!(follower.seen, journal.accounts, "what the changes tell is what is there");
        journal
    }

    /// Reads all accounts page by page, again and again: those that nobody changes are there once each time.
    fn read_pages(&self, steady: &[String]) {
        while !self.over.load(Ordering::SeqCst) {
            let mut seen = Vec::new();
            let mut path = Some("accounts?$select=name&$orderby=name".to_owned());
            while let Some(page) = path {
                let answer = self.insist("GET", &page, &[("Prefer", PAGE)], None).0.expect(200).json();
                let rows = answer["value"].as_array().unwrap();
                seen.extend(rows.iter().map(|row| row["accountid"].as_str().unwrap().to_owned()));
                path = answer.get("@odata.nextLink").map(below_api);
            }
            seen.sort_unstable();
            let read = seen.len();
            seen.dedup();
            assert_eq!(read, seen.len(), "a row was told twice");
            for id in steady {
                assert!(seen.binary_search(id).is_ok(), "{id} was left out");
            }
        }
    }

    /// Signs in, and uses the token at whichever node is next.
    fn sign_in(&self) {
        while !self.over.load(Ordering::SeqCst) {
            let fields = [
                ("grant_type", "password"),
                ("username", ADA),
                ("password", self.password.as_str()),
                ("client_id", "51f81489-12ee-4a9e-aaae-a2591f45987d"),
                ("scope", "openid"),
            ];
            let answer = self.until_answered(|| {
                let form: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
                let headers = [("Content-Type", "application/x-www-form-urlencoded")];
                self.client.try_request("POST", "/north/oauth2/v2.0/token", &headers, Some(&form.join("&")))
            });
            let token = answer.0.expect(200).json()["access_token"].as_str().unwrap().to_owned();
            let bearer = format!("Bearer {token}");
            let headers = [("Authorization", bearer.as_str())];
            let path = "/north/api/data/v9.2/WhoAmI";
            self.until_answered(|| self.client.try_request("GET", path, &headers, None)).0.expect(200);
        }
    }

    /// A request of the Web API, tried until there is an answer to it; whether an attempt before the last one may have been
    /// carried out too.
    pub fn insist(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> (Answer, bool) {
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        all.extend(headers);
        let path = format!("/north/api/data/v9.2/{}", path.replace(' ', "%20"));
        let body = body.map(Value::to_string);
        self.until_answered(|| self.client.try_request(method, &path, &all, body.as_deref()))
    }

    /// Counts a write that was acknowledged.
    pub fn acknowledge(&self) {
        self.done.fetch_add(1, Ordering::SeqCst);
    }

    fn until_answered(&self, send: impl Fn() -> std::io::Result<Answer>) -> (Answer, bool) {
        for tried in 0..TRIES_MAX {
            let met = match send() {
                Ok(answer) if RETRIABLE.contains(&answer.status) => {
                    let custodias = answer.header("content-type").is_some_and(|kind| kind.contains("json"));
                    if custodias {
                        assert!(answer.header("Retry-After").is_some(), "{}: {}", answer.status, answer.text());
                    }
                    format!("{} of {}", answer.status, if custodias { "a node" } else { "the balancer" })
                }
                Ok(answer) => return (answer, tried > 0),
                Err(error) => {
                    let broken = [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof, ErrorKind::BrokenPipe];
                    assert!(broken.contains(&error.kind()), "{error}");
                    "a broken connection".to_owned()
                }
            };
            *self.met.lock().unwrap().entry(met).or_default() += 1;
            std::thread::sleep(PAUSE);
        }
        panic!("no answer in {TRIES_MAX} tries");
    }
}

fn encoded(text: &str) -> String {
    text.replace('@', "%40")
}

/// Who holds a copy of all accounts and keeps it by what the changes tell.
struct Follower {
    seen: BTreeMap<String, i64>,
    link: String,
}

impl Follower {
    fn begin(clients: &Clients) -> Self {
        let path = "accounts?$select=name,numberofemployees";
        let mut follower = Self { seen: BTreeMap::new(), link: path.to_owned() };
        follower.read(clients, &[("Prefer", "odata.track-changes")]);
        follower
    }

    fn follow(&mut self, clients: &Clients) {
        self.read(clients, &[]);
    }

    /// Reads from the link to the end of its pages.
    fn read(&mut self, clients: &Clients, headers: &[(&str, &str)]) {
        loop {
            let answer = clients.insist("GET", &self.link, headers, None).0.expect(200).json();
            for row in answer["value"].as_array().unwrap() {
                if row.get("reason").is_some() {
                    self.seen.remove(row["id"].as_str().unwrap());
                } else {
                    let id = row["accountid"].as_str().unwrap().to_owned();
                    self.seen.insert(id, row["numberofemployees"].as_i64().unwrap());
                }
            }
            if let Some(next) = answer.get("@odata.nextLink") {
                self.link = below_api(next);
                continue;
            }
            self.link = below_api(&answer["@odata.deltaLink"]);
            return;
        }
    }
}
