//! A client that keeps its connection and asks for whatever comes by chance.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{Answer, Client as Plain, read_answer};
use crate::over::Over;
use crate::{Asked, PARTS};

/// Accounts that are read, of each organisation; as many contacts and opportunities.
pub const ACCOUNTS: u64 = 200;
/// Contacts that a client made and has not deleted yet.
const OWN_MAX: usize = 20;
/// Records of one `CreateMultiple`, and of one batch.
const AT_ONCE: usize = 10;

/// The id of an account that is read.
pub fn account(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

/// What a client measured.
#[derive(Default)]
pub struct Measured {
    /// Requests of each kind.
    pub counts: BTreeMap<&'static str, u64>,
    /// Microseconds that the requests of the Web API took, in each part of the time.
    took: [Vec<u32>; PARTS],
}

impl Measured {
    pub fn append(&mut self, mut other: Self) {
        for (kind, count) in other.counts {
            *self.counts.entry(kind).or_default() += count;
        }
        for (ours, theirs) in self.took.iter_mut().zip(&mut other.took) {
            ours.append(theirs);
        }
    }

    /// What 99 of 100 requests of a part did not take longer than.
    pub fn slowest_hundredth(&self, part: usize) -> Duration {
        let mut took = self.took[part].clone();
        took.sort_unstable();
        let at = (took.len() * 99 / 100).min(took.len().saturating_sub(1));
        Duration::from_micros(took.get(at).copied().unwrap_or(0).into())
    }
}

/// One client.
pub struct Client<'a> {
    asked: &'a [Asked],
    connection: Connection,
    random: u64,
    /// Contacts that it made, with the organisation they are in.
    own: Vec<(usize, String)>,
    made: u64,
    number: u64,
}

/// A connection that is made anew when the server closed it.
struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

impl Connection {
    fn send(&mut self, request: &[u8]) -> Answer {
        let stream = self.stream.get_or_insert_with(|| Plain::plain(self.address).connect().unwrap());
        stream.set_nodelay(true).unwrap();
        stream.write_all(request).unwrap();
        let answer = read_answer(stream).unwrap();
        if answer.header("connection").is_some_and(|word| word.eq_ignore_ascii_case("close")) {
            self.stream = None;
        }
        answer
    }
}

impl<'a> Client<'a> {
    pub fn new(number: u64, asked: &'a [Asked]) -> Self {
        let connection = Connection { address: asked[0].api.client.address, stream: None };
        Self { asked, connection, random: number + 1, own: Vec::new(), made: 0, number }
    }

    /// Asks until it is over.
    pub fn run(mut self, begun: Instant, length: Duration, over: &Over) -> Measured {
        let mut measured = Measured::default();
        while !over.is_over() {
            let sent = Instant::now();
            let kind = self.ask();
            let took = sent.elapsed();
            *measured.counts.entry(kind).or_default() += 1;
            // A password is slow to check on purpose.
            if kind != "sign-in" {
                let part = (begun.elapsed().as_millis() * PARTS as u128 / length.as_millis().max(1)) as usize;
                measured.took[part.min(PARTS - 1)].push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
            }
        }
        measured
    }

    /// Numbers that look random and are the same each time.
    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % bound
    }

    /// One request; what kind it was. Kinds are named as in `BENCHMARKS.md` where they are there.
    fn ask(&mut self) -> &'static str {
        let organization = self.below(self.asked.len() as u64) as usize;
        let number = self.below(ACCOUNTS);
        match self.below(100) {
            0..25 => {
                let path = format!("accounts({})?$select=name,address1_city,revenue", account(number));
                self.get(organization, &path, "").expect(200);
                "W1"
            }
            25..36 => {
                self.get(organization, &in_a_city(number), "").expect(200);
                "W2"
            }
            36..41 => {
                let all = "Prefer: odata.include-annotations=\"*\"\r\n";
                self.get(organization, &in_a_city(number), all).expect(200);
                "W2a"
            }
            41..51 => {
                let path = "contacts?$select=fullname&$filter=lastname ge 'Tact 1'&$orderby=fullname&$top=50\
                            &$expand=parentcustomerid_account($select=name)";
                let rows = self.get(organization, path, "").expect(200).json();
                assert_eq!(rows["value"].as_array().unwrap().len(), 50);
                "W3"
            }
            51..63 => self.create(organization),
            63..75 => {
                let path = format!("accounts({})", account(number));
                let body = json!({ "telephone1": format!("{}", self.random >> 40) });
                self.send(organization, "PATCH", &path, "", Some(&body)).expect(204);
                "W5"
            }
            75..79 => {
                let path =
                    "opportunities?$apply=groupby((opportunityratingcode),aggregate(estimatedvalue with sum as total))";
                let groups = self.get(organization, path, "").expect(200).json();
                assert_eq!(groups["value"].as_array().unwrap().len(), 3);
                "W6, $apply"
            }
            79..82 => {
                let xml = "<fetch aggregate='true'><entity name='opportunity'><attribute name='estimatedvalue' alias='total' \
                           aggregate='sum'/><attribute name='opportunityratingcode' alias='rating' groupby='true'/></entity>\
                           </fetch>";
                let path = format!(
                    "opportunities?fetchXml={}",
                    xml.replace(' ', "%20").replace('<', "%3C").replace('>', "%3E")
                );
                let groups = self.get(organization, &path, "").expect(200).json();
                assert_eq!(groups["value"].as_array().unwrap().len(), 3);
                "W6, FetchXML"
            }
            82..85 => self.batch(organization),
            85..87 => self.create_many(organization),
            87..92 => self.delete(),
            92..95 => self.walk(organization),
            95..98 => {
                let bearer = format!("Authorization: Bearer {}x\r\n", self.asked[organization].api.token);
                let path = format!("/{}/api/data/v9.2/WhoAmI", self.asked[organization].api.organization);
                self.raw("GET", &path, &bearer, "").expect(401);
                "wrong token"
            }
            98 => {
                let path = "accounts?$filter=nonsense eq 1";
                self.get(organization, path, "").expect(400);
                "malformed"
            }
            _ => self.sign_in(organization),
        }
    }

    fn create(&mut self, organization: usize) -> &'static str {
        if self.own.len() >= OWN_MAX {
            return self.delete();
        }
        let body = json!({ "firstname": "New", "lastname": format!("Contact {}", self.random >> 40) });
        let id = self.send(organization, "POST", "contacts", "", Some(&body)).expect(204).created_id();
        self.own.push((organization, id));
        "W4"
    }

    fn delete(&mut self) -> &'static str {
        let Some((organization, id)) = self.own.pop() else { return self.sign_in(0) };
        self.send(organization, "DELETE", &format!("contacts({id})"), "", None).expect(204);
        "delete"
    }

    fn create_many(&mut self, organization: usize) -> &'static str {
        let targets: Vec<_> = (0..AT_ONCE)
            .map(|number| json!({ "@odata.type": "Microsoft.Dynamics.CRM.contact", "lastname": format!("Many {number}") }))
            .collect();
        let path = "contacts/Microsoft.Dynamics.CRM.CreateMultiple";
        let made = self.send(organization, "POST", path, "", Some(&json!({ "Targets": targets }))).expect(200).json();
        for id in made["Ids"].as_array().unwrap() {
            self.send(organization, "DELETE", &format!("contacts({})", id.as_str().unwrap()), "", None).expect(204);
        }
        "CreateMultiple and deletes"
    }

    /// A batch with a read, and a change set that makes records and deletes them.
    fn batch(&mut self, organization: usize) -> &'static str {
        let mut text =
            "--b\r\nContent-Type: application/http\r\n\r\nGET accounts?$top=5&$select=name HTTP/1.1\r\n\r\n\r\n\
                        --b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n"
                .to_owned();
        for number in 0..AT_ONCE {
            self.made += 1;
            let id = format!("{:08x}-0000-4000-8000-{:012x}", 1 + self.number, self.made);
            let body = json!({ "contactid": id, "lastname": "Batch" });
            for (at, head, body) in [
                (2 * number, "POST contacts HTTP/1.1".to_owned(), body.to_string()),
                (2 * number + 1, format!("DELETE contacts({id}) HTTP/1.1"), String::new()),
            ] {
                text.push_str(&format!(
                    "--c\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {}\r\n\r\n\
                     {head}\r\nContent-Type: application/json\r\n\r\n{body}\r\n",
                    at + 1
                ));
            }
        }
        text.push_str("--c--\r\n--b--\r\n");
        let api = &self.asked[organization].api;
        let headers = format!("Authorization: Bearer {}\r\nContent-Type: multipart/mixed;boundary=b\r\n", api.token);
        let path = format!("/{}/api/data/v9.2/$batch", api.organization);
        let answer = self.raw("POST", &path, &headers, &text).expect(200);
        assert_eq!(answer.text().matches("HTTP/1.1 204").count(), 2 * AT_ONCE, "{}", answer.text());
        "batch"
    }

    /// All accounts, page by page.
    fn walk(&mut self, organization: usize) -> &'static str {
        let mut seen = 0;
        let mut next = Some("accounts?$select=name&$orderby=name&$filter=startswith(name,'Account ')".to_owned());
        while let Some(path) = next {
            let page = self.get(organization, &path, "Prefer: odata.maxpagesize=50\r\n").expect(200).json();
            seen += page["value"].as_array().unwrap().len();
            next = page.get("@odata.nextLink").map(|link| {
                let (_, path) = link.as_str().unwrap().split_once("/api/data/v9.2/").unwrap();
                path.to_owned()
            });
        }
        assert_eq!(seen as u64, ACCOUNTS);
        "all pages"
    }

    fn sign_in(&mut self, organization: usize) -> &'static str {
        let Asked { api, password, user } = &self.asked[organization];
        let form = format!(
            "grant_type=password&username={}&password={password}&client_id=51f81489-12ee-4a9e-aaae-a2591f45987d&scope=openid",
            user.replace('@', "%40")
        );
        let path = format!("/{}/oauth2/v2.0/token", api.organization);
        let answer = self.raw("POST", &path, "Content-Type: application/x-www-form-urlencoded\r\n", &form);
        // Wrong passwords of others may slow it down.
        assert!(matches!(answer.status, 200 | 429), "{}: {}", answer.status, answer.text());
        "sign-in"
    }

    fn get(&mut self, organization: usize, path: &str, headers: &str) -> Answer {
        self.send(organization, "GET", path, headers, None)
    }

    fn send(&mut self, organization: usize, method: &str, path: &str, headers: &str, body: Option<&Value>) -> Answer {
        let api = &self.asked[organization].api;
        let headers = format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n{headers}", api.token);
        let path = format!("/{}/api/data/v9.2/{}", api.organization, path.replace(' ', "%20"));
        self.raw(method, &path, &headers, &body.map(Value::to_string).unwrap_or_default())
    }

    fn raw(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            self.connection.address,
            body.len()
        );
        self.connection.send(text.as_bytes())
    }
}

/// The accounts of a city.
fn in_a_city(number: u64) -> String {
    format!(
        "accounts?$select=name,address1_city,revenue,numberofemployees,createdon&$filter=address1_city eq 'City {}'\
         &$orderby=name&$top=50",
        number % 10
    )
}
