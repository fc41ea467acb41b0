//! W7 from a file: contacts by `custodia import`, beside the yardstick's inserts of the same contacts.

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::custodia::caller_mail;
use crate::load::{as_f64, each};
use crate::measure::{Comparison, Plan, Sides, Turn};
use crate::process::processor_time;
use crate::work::{Ask, MANY, NEW_CONTACTS, Work, new_contacts, of_yardstick};
use crate::world;

/// Names the rows by a number of their own and the accounts by theirs.
const MAPPING: &str = r#"
name = "bench-contacts"
table = "contact"
key = "no"

[columns]
firstname = "firstname"
lastname = "lastname"
jobtitle = "jobtitle"
emailaddress1 = "emailaddress1"
telephone1 = "telephone1"
mobilephone = "mobilephone"
address1_line1 = "street"
address1_city = "city"
address1_postalcode = "postalcode"
birthdate = { from = "birthdate", date = "YYYY-MM-DD" }
parentcustomerid = { from = "account", lookup = { table = "account", by = ["accountnumber"] } }
"#;
const HEADER: &str =
    "no,firstname,lastname,jobtitle,emailaddress1,telephone1,mobilephone,street,city,postalcode,birthdate,account\n";

impl Sides<'_> {
    /// Lets the sides take turns at bringing in files: rates are rows a second, from the start of the command to its end.
    ///
    /// # Errors
    /// A row that is not brought in.
    pub async fn compare_imports(&self, plan: Plan) -> Result<Comparison> {
        let mapping = self.folder.join("contacts.toml");
        std::fs::write(&mapping, MAPPING)?;
        let mut turns = Vec::new();
        for round in 0..plan.repeats {
            // Rounds before were made by single requests, and without a key.
            let numbers: Vec<u32> = new_contacts(round + 1).collect();
            let file = self.folder.join(format!("contacts-{round}.csv"));
            std::fs::write(&file, rows(&numbers)?)?;
            let yardstick = self.inserted(&numbers).await?;
            turns.push((yardstick, self.imported(&mapping, &file).await?));
        }
        let connections = Work::Import.connections().first().copied().unwrap_or(1);
        Ok(Comparison { work: Work::Import, connections, turns, flushes_us: Vec::new(), writes_per_flush: None })
    }

    async fn inserted(&self, numbers: &[u32]) -> Result<Turn> {
        let server = &self.yardstick.server;
        let rendered: Vec<Vec<u8>> =
            numbers.chunks(MANY as usize).map(|chunk| of_yardstick(&Ask::Contacts(chunk.to_vec()))).collect();
        let count = rendered.len() as u64;
        let requests: crate::load::Requests = std::sync::Arc::new(move |number, request| {
            let chosen = usize::try_from(number).ok().and_then(|number| rendered.get(number));
            request.extend_from_slice(chosen.map_or(b"", Vec::as_slice));
        });
        let (begin, before) = (Instant::now(), processor_time(server.id())?);
        each(server.address, 1, count, &requests).await.context("the yardstick")?;
        Ok(turn(begin, (processor_time(server.id())?.saturating_sub(before)).as_secs_f64()))
    }

    async fn imported(&self, mapping: &Path, file: &Path) -> Result<Turn> {
        let (begin, before) = (Instant::now(), self.custodia.processor_time().await?);
        let (mapping, file) = (mapping.display().to_string(), file.display().to_string());
        let arguments =
            ["import", "--org", crate::custodia::ORGANIZATION, "--user", &caller_mail(), "--map", &mapping, &file];
        let said = self.custodia.place.run(&arguments)?;
        ensure!(said.contains(&format!("created {NEW_CONTACTS},")), "not every row was created: {said}");
        Ok(turn(begin, self.custodia.processor_time().await?.saturating_sub(before).as_secs_f64()))
    }
}

fn turn(begin: Instant, used_seconds: f64) -> Turn {
    let rows = as_f64(u64::from(NEW_CONTACTS));
    let none = f64::NAN;
    Turn {
        rate: rows / begin.elapsed().as_secs_f64(),
        processor_us: used_seconds * 1e6 / rows,
        p50_ms: none,
        p95_ms: none,
        p99_ms: none,
        body_bytes: 0.0,
    }
}

/// The file of some contacts.
fn rows(numbers: &[u32]) -> Result<String> {
    let mut text = HEADER.to_owned();
    for number in numbers {
        let contact = world::contact(*number);
        writeln!(text, "{number},{},{}", contact.cells(), world::account(contact.account).number,)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_row_has_a_value_for_each_column() {
        let text = rows(&[world::CONTACTS, world::CONTACTS + 7]).unwrap();
        let fields: Vec<usize> = text.lines().map(|line| line.split(',').count()).collect();
        assert_eq!(fields, [12; 3]);
        assert!(!text.contains('"') && HEADER.starts_with("no,"), "{text}");
    }
}
