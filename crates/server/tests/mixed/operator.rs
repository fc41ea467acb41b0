//! What happens beside the clients: imports, backups, and somebody who guesses passwords.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use crate::over::Over;
use crate::site::Site;
use crate::{Asked, ORGANIZATIONS};

/// Rows of an imported file.
const ROWS: u64 = 100;
/// How long the operator rests between two commands.
const REST: Duration = Duration::from_millis(500);

const MAPPING: &str = r#"
name = "companies"
table = "account"
key = "No"

[columns]
name = "Company"
numberofemployees = "People"
"#;

/// Gives one command after the other.
pub struct Operator<'a> {
    site: &'a Site,
    asked: &'a [Asked],
    mapping: String,
    done: BTreeMap<&'static str, u64>,
}

impl<'a> Operator<'a> {
    pub fn new(site: &'a Site, asked: &'a [Asked]) -> Self {
        Self { site, asked, mapping: site.write("companies.toml", MAPPING), done: BTreeMap::new() }
    }

    /// Goes on until it is over; how often what was done.
    pub fn run(mut self, over: &Over) -> BTreeMap<&'static str, u64> {
        for round in 0_u64.. {
            let organization = ORGANIZATIONS[round as usize % ORGANIZATIONS.len()];
            let what = match round / ORGANIZATIONS.len() as u64 % 3 {
                0 => self.import(organization, round),
                1 => self.back_up(organization),
                _ => self.guess(round),
            };
            *self.done.entry(what).or_default() += 1;
            if over.within(REST) {
                break;
            }
        }
        self.done
    }

    /// The same rows, with other numbers each time.
    fn import(&self, organization: &str, round: u64) -> &'static str {
        let mut rows = "No,Company,People\n".to_owned();
        for number in 0..ROWS {
            writeln!(rows, "{number},Imported {number},{}", round + number).unwrap();
        }
        let file = self.site.write("companies.csv", &rows);
        let said = self.site.done(&["import", "--org", organization, "--map", &self.mapping, &file]);
        assert!(said.contains("failed 0"), "{said}");
        "imports"
    }

    fn back_up(&self, organization: &str) -> &'static str {
        let file = self.site.beside("copy.backup");
        self.site.done(&["backup", "--org", organization, "--to", &file.display().to_string()]);
        std::fs::remove_file(file).unwrap();
        "backups"
    }

    fn guess(&self, round: u64) -> &'static str {
        let client = &self.asked[0].api.client;
        let fields = [("grant_type", "password"), ("username", "eve@north.example"), ("password", "a guess")];
        let fields =
            [fields.as_slice(), &[("client_id", "51f81489-12ee-4a9e-aaae-a2591f45987d"), ("scope", "openid")]].concat();
        let organization = ORGANIZATIONS[round as usize % ORGANIZATIONS.len()];
        let answer = client.form(&format!("/{organization}/oauth2/v2.0/token"), &fields);
        assert!(matches!(answer.status, 400 | 401 | 429), "{}: {}", answer.status, answer.text());
        "wrong passwords"
    }
}
