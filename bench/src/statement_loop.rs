//! The yardstick's statements in a loop, without HTTP: what its answers cannot be cheaper than.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use custodia_sqlite::Access;

use crate::bare::Prepared;
use crate::load::as_f64;
use crate::process::thread_time;
use crate::statements::{ACCOUNT, ACCOUNTS, CONTACTS, STAGES};
use crate::work::{Ask, Work, questions};
use crate::world::{Kind, id};
use crate::yardstick_file::connect;

/// Microseconds of processor time that one answer of this work takes.
///
/// # Errors
/// What SQLite says; work that is no read.
pub fn microseconds(file: &Path, work: Work, duration: Duration) -> Result<f64> {
    let connection = connect(file, Access::Read)?;
    let sql = match work {
        Work::ReadOne => ACCOUNT,
        Work::List => ACCOUNTS,
        Work::Expand => CONTACTS,
        Work::Apply => STAGES,
        _ => bail!("the yardstick has no such read"),
    };
    let mut statement = Prepared::new(&connection, sql)?;
    let owner = id(Kind::User, 0);
    let mut body = Vec::with_capacity(64 * 1024);
    let asked = questions(work);
    let (begin, before, mut count) = (Instant::now(), thread_time()?, 0_u64);
    for ask in asked.iter().cycle() {
        if begin.elapsed() >= duration {
            break;
        }
        body.clear();
        let rows = match ask {
            Ask::Account(id) => statement.rows(id.as_bytes(), &owner, &mut body)?,
            Ask::City(city) => statement.rows(city, &owner, &mut body)?,
            Ask::From(name) => statement.rows(name, &owner, &mut body)?,
            Ask::Stages => statement.rows(&"", &owner, &mut body)?,
            Ask::Contact(_) | Ask::Contacts(_) | Ask::Title(_) => 0,
        };
        ensure!(rows > 0, "every question has an answer");
        count += 1;
    }
    Ok((thread_time()? - before).as_secs_f64() * 1e6 / as_f64(count))
}
