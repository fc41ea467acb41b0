//! Whatever is done to a sealed audit is found and named, and nothing is that was not done.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;

use custodia_schema::{ColumnId, Guid, TableId, Value};

use super::erasure::Erasure;
use super::existing::of_the_platform;
use super::gap::{Prune, RestoreFacts, RestoreProof, RestoredThen};
use super::published::{HeadFacts, KeyRing, PublicKeys};
use super::verifier::{Fault, Published, Report};
use super::{Place, Stored, Unsealed, seal_existing};
use crate::link::Link;
use crate::on_both_engines;
use crate::site::{Dice, Engine, Site};
use crate::sql::{Dialect, audit_log, internal};
use crate::{
    AuditEntry, AuditFilter, AuditOperation, AuditedChange, Database, Error, MovedAudit, Result, Transaction,
    audit_action, verify_export,
};

on_both_engines! {
    numbers_have_no_holes_and_the_chain_holds;
    whatever_is_done_to_an_entry_is_found_and_named;
    what_was_there_before_is_sealed_where_it_stands;
    a_restore_is_told_as_what_it_is;
    a_restore_that_is_only_said_excuses_nothing;
    what_retention_removes_is_accounted_for;
    a_forged_gap_record_that_claims_a_restore_is_not_believed;
    erased_values_leave_the_chain_whole;
    what_tells_of_a_record_is_found_however_many_others_there_are;
    an_export_is_verified_like_the_database;
}

/// Ways of tampering, each tried at random places.
const WAYS: usize = 14;
/// How often each way is tried, times the effort.
const TRIES: u32 = 5;

/// The connection that writes.
async fn link_of(database: &Database) -> Link {
    match database.sqlite_file() {
        Some(file) => Link::Sqlite(Arc::clone(file)),
        None => Link::Postgres(Arc::new(database.own_connection().await.unwrap())),
    }
}

async fn run(link: &Link, statements: &[String]) {
    for sql in statements {
        link.run(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
}

fn entry(dice: &Dice, request: u64) -> AuditEntry {
    let texts =
        ["", "x", "Žluťoučký kůň", "a longer text that takes more than one block of the hash, which has 64 bytes"];
    let value = |dice: &Dice| match dice.below(4) {
        0 => Value::Null,
        1 => Value::Text(texts[dice.below(texts.len())].to_owned()),
        2 => Value::Integer(i32::try_from(dice.below(1_000)).unwrap()),
        _ => Value::Lookup(TableId(1), dice.guid()),
    };
    AuditEntry {
        transaction: Guid::from_u64_pair(request, 1),
        user: dice.guid(),
        calling_user: (dice.below(3) == 0).then(|| dice.guid()),
        origin: "test".to_owned(),
        table: TableId(1 + u32::try_from(dice.below(3)).unwrap()),
        row: Guid::from_u128(dice.below(4) as u128),
        operation: AuditOperation::Update,
        action: 2,
        changes: (1..=u16::try_from(dice.below(4)).unwrap())
            .map(|column| AuditedChange { column: ColumnId(column), old: value(dice), new: value(dice) })
            .collect(),
        detail: (dice.below(3) == 0).then(|| texts[dice.below(texts.len())].to_owned()),
    }
}

async fn audit(database: &Database, entries: Vec<AuditEntry>, refused: bool) -> Result<()> {
    let entries = Arc::new(entries);
    database
        .write(move |transaction: &mut Transaction| {
            let entries = Arc::clone(&entries);
            Box::pin(async move {
                entries.iter().for_each(|entry| transaction.audit(entry));
                // Some write what is taken back then.
                if entries.len() > 1 {
                    transaction.flush().await?;
                }
                if refused { Err(Error::Query("refused".to_owned())) } else { Ok(()) }
            })
        })
        .await
}

/// Requests at once, of which some are refused: how many entries they wrote.
async fn some_history(database: &Database, dice: &Dice, requests: u64) -> usize {
    let mut written = 0;
    let under_way: Vec<_> = (0..requests)
        .map(|request| {
            let entries: Vec<_> = (0..1 + dice.below(3)).map(|_| entry(dice, request)).collect();
            let refused = dice.below(4) == 0;
            if !refused {
                written += entries.len();
            }
            audit(database, entries, refused)
        })
        .collect();
    futures::future::join_all(under_way).await;
    written
}

async fn place(database: &Database) -> Place {
    link_of(database).await.sealed_head().await.map(|(head, chain)| Place { number: head.audit_number, chain }).unwrap()
}

async fn published(database: &Database, places: &[Place]) -> Vec<HeadFacts> {
    let (organization, epoch) = (database.organization(), database.head().await.unwrap().versions.epoch);
    places
        .iter()
        .map(|place| HeadFacts {
            organization,
            epoch,
            number: place.number,
            chain: place.chain.to_string(),
            time: 7,
            restores_signed: true,
        })
        .collect()
}

async fn verified(database: &Database, heads: &[HeadFacts]) -> Report {
    let published = Published { heads: heads.to_vec(), keys: PublicKeys::default() };
    database.verify_audit(published, &mut |_: &str| {}).await.unwrap()
}

/// A literal of bytes or of a GUID.
fn literal(dialect: Dialect, bytes: &[u8], guid: bool) -> String {
    let digits = crate::hex::encode(bytes);
    match (dialect, guid) {
        (Dialect::Sqlite, _) => format!("x'{digits}'"),
        (Dialect::Postgres, true) => format!("'{digits}'::uuid"),
        (Dialect::Postgres, false) => format!("'\\x{digits}'::bytea"),
    }
}

/// An organisation with a history, a copy of its audit to come back to, and heads that were published on the way.
struct Sealed {
    _site: Site,
    database: Database,
    link: Link,
    dialect: Dialect,
    heads: Vec<HeadFacts>,
    last: i64,
    end: Place,
}

impl Sealed {
    async fn new(engine: Engine, dice: &Dice) -> Self {
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        let mut places = Vec::new();
        for _ in 0..3 {
            some_history(&database, dice, 8).await;
            places.push(place(&database).await);
        }
        let heads = published(&database, &places).await;
        audit(&database, vec![entry(dice, 99)], false).await.unwrap();
        let end = place(&database).await;
        let link = link_of(&database).await;
        run(&link, &["CREATE TABLE kept AS SELECT * FROM custodia_audit".to_owned()]).await;
        Self { _site: site, dialect: link.dialect(), link, heads, last: end.number, end, database }
    }

    async fn back(&self) {
        let chain = literal(self.dialect, self.end.chain.as_bytes(), false);
        let head = format!("UPDATE custodia_head SET audit_number = {}, audit_chain = {chain}", self.last);
        let again = ["DELETE FROM custodia_audit", "INSERT INTO custodia_audit SELECT * FROM kept", &head];
        run(&self.link, &again.map(str::to_owned)).await;
    }

    async fn set_head(&self, place: Place) {
        let chain = literal(self.dialect, place.chain.as_bytes(), false);
        let head = format!("UPDATE custodia_head SET audit_number = {}, audit_chain = {chain}", place.number);
        run(&self.link, &[head]).await;
    }

    /// Chains all entries anew, as they are now, and the head with them.
    async fn rewrite(&self) {
        let rows = crate::link::rows(&self.link, &audit_log::select_sealed(), |row| {
            let stored = Stored::of_row(row)?;
            let mut canonical = Vec::new();
            stored.canonical(&mut canonical)?;
            Some((stored.number, stored.salt?.to_vec(), super::hash(&canonical)))
        })
        .await
        .unwrap();
        let mut place = Place::default();
        for (number, salt, digest) in rows {
            place = Place { number, chain: place.chain.then(&digest) };
            self.link.execute(&audit_log::update_seal(number, salt, &place.chain)).await.unwrap();
        }
        self.set_head(place).await;
    }

    /// Moves entries from one on by so many places.
    fn shifted(from: i64, by: i64) -> [String; 2] {
        [
            format!("UPDATE custodia_audit SET number = -number WHERE number >= {from}"),
            format!("UPDATE custodia_audit SET number = -number + {by} WHERE number < 0"),
        ]
    }

    /// A change of one field of one entry.
    fn change(&self, dice: &Dice, number: i64) -> String {
        let bytes = |bytes: &[u8]| literal(self.dialect, bytes, false);
        let guid = literal(self.dialect, dice.guid().as_bytes(), true);
        let change = match dice.below(12) {
            0 => "created = created + 1".to_owned(),
            1 => format!("transactionid = {guid}"),
            2 => format!("userid = {guid}"),
            3 => format!("callinguserid = {guid}"),
            4 => "origin = origin || 'x'".to_owned(),
            5 => "tableid = tableid + 1".to_owned(),
            6 => format!("rowid_ = {guid}"),
            7 => "operation = operation + 1".to_owned(),
            8 => "action = action + 1".to_owned(),
            9 => format!("payload = {}", bytes(&[1, 7, 0, 0, 7, 0, 1, 1])),
            10 => "detail = COALESCE(detail, '') || 'x'".to_owned(),
            _ => format!("salt = {}, detail = 'told'", bytes(&[1; 16])),
        };
        format!("UPDATE custodia_audit SET {change} WHERE number = {number}")
    }

    fn after(&self, number: i64) -> i64 {
        self.heads.iter().map(|head| head.number).filter(|head| *head < number).max().unwrap_or(0)
    }

    fn until(&self, number: i64) -> i64 {
        self.heads.iter().map(|head| head.number).filter(|head| *head >= number).min().unwrap()
    }

    /// Does one thing to the audit; what is to be found.
    async fn tamper(&self, dice: &Dice, way: usize) -> Fault {
        let pick =
            |from: i64, to: i64| from + i64::try_from(dice.below(usize::try_from(to - from + 1).unwrap())).unwrap();
        let last = self.last;
        let protected = self.heads.last().unwrap().number;
        let delete = |what: String| format!("DELETE FROM custodia_audit WHERE number {what}");
        match way {
            0 | 1 => {
                let number = pick(1, last);
                run(&self.link, &[self.change(dice, number)]).await;
                Fault::Changed { number }
            }
            2 => {
                let number = pick(1, last);
                let chain = literal(self.dialect, &[9; 32], false);
                run(&self.link, &[format!("UPDATE custodia_audit SET chain = {chain} WHERE number = {number}")]).await;
                Fault::SealChanged { number }
            }
            3 => {
                let number = pick(1, last - 1);
                run(&self.link, &[delete(format!("= {number}"))]).await;
                Fault::Removed { from: number, through: number }
            }
            4 => {
                let number = pick(1, last - 2);
                run(&self.link, &[delete(format!("= {number}"))]).await;
                run(&self.link, &Self::shifted(number + 1, -1)).await;
                self.set_head(Place { number: last - 1, ..self.end }).await;
                Fault::Removed { from: number, through: number }
            }
            5 => {
                let (number, like) = (pick(1, last), pick(1, last));
                run(&self.link, &Self::shifted(number, 1)).await;
                let guid = literal(self.dialect, dice.guid().as_bytes(), true);
                let columns = "transactionid, userid, callinguserid, origin, tableid, rowid_, operation, action, payload, \
                               detail, salt, chain";
                let insert = format!(
                    "INSERT INTO custodia_audit (number, created, {columns}) SELECT {number}, created, {} FROM kept \
                     WHERE number = {like}",
                    columns.replacen("userid", &guid, 1)
                );
                run(&self.link, &[insert]).await;
                self.set_head(Place { number: last + 1, ..self.end }).await;
                Fault::Inserted { number }
            }
            6 => {
                let number = pick(1, last - 1);
                let with = pick(number + 1, last);
                let swap = format!(
                    "UPDATE custodia_audit SET number = CASE number WHEN {number} THEN -{with} ELSE -{number} END \
                     WHERE number IN ({number}, {with})"
                );
                run(&self.link, &[swap, Self::shifted(i64::MAX, 0)[1].clone()]).await;
                Fault::Exchanged { number, with }
            }
            7 => {
                let number = pick(1, last - 1);
                let with = pick(number + 1, last);
                let swap = |at: i64, from: i64| {
                    let columns = [
                        "created",
                        "transactionid",
                        "userid",
                        "callinguserid",
                        "origin",
                        "tableid",
                        "rowid_",
                        "operation",
                        "action",
                        "payload",
                        "detail",
                        "salt",
                    ];
                    let sets: Vec<_> = columns
                        .iter()
                        .map(|column| format!("{column} = (SELECT {column} FROM kept WHERE number = {from})"))
                        .collect();
                    format!("UPDATE custodia_audit SET {} WHERE number = {at}", sets.join(", "))
                };
                run(&self.link, &[swap(number, with), swap(with, number)]).await;
                Fault::Exchanged { number, with }
            }
            8 => {
                let from = pick(1, last);
                run(&self.link, &[delete(format!(">= {from}"))]).await;
                Fault::EndRemoved { from, through: last, published: None }
            }
            9 => {
                let from = pick(1, protected);
                run(&self.link, &[delete(format!(">= {from}"))]).await;
                self.rewrite().await;
                let through = self.until(from);
                Fault::EndRemoved { from, through, published: Some(7) }
            }
            10 => {
                let through = pick(1, last - 1);
                run(&self.link, &[delete(format!("<= {through}"))]).await;
                Fault::Removed { from: 1, through }
            }
            11 => {
                let number = pick(1, protected);
                run(&self.link, &[self.change(dice, number)]).await;
                self.rewrite().await;
                Fault::Rewritten { after: self.after(number), until: self.until(number), published: 7 }
            }
            12 => {
                let number = last + 1;
                let columns = "created, transactionid, userid, callinguserid, origin, tableid, rowid_, operation, action, \
                               payload, detail, salt, chain";
                let insert = format!(
                    "INSERT INTO custodia_audit (number, {columns}) SELECT {number}, {columns} FROM kept WHERE number = 1"
                );
                run(&self.link, &[insert]).await;
                Fault::Inserted { number }
            }
            _ => {
                let number = pick(1, last);
                let statement = audit_log::select_sealed_after(number - 1, 1);
                let payload = crate::link::rows(&self.link, &statement, |row| Stored::of_row(row)?.erased_payload())
                    .await
                    .unwrap();
                self.link.execute(&audit_log::erase_audit(number, payload[0].clone())).await.unwrap();
                Fault::Erased { number }
            }
        }
    }
}

mod bodies {
    use super::*;

    pub async fn numbers_have_no_holes_and_the_chain_holds(engine: Engine) {
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        let dice = Dice::new(11);
        let mut written = 0;
        for _ in 0..4 {
            written += some_history(&database, &dice, 12).await;
        }
        let report = verified(&database, &[]).await;
        assert_eq!(report.fault, None);
        assert_eq!((report.entries, report.last.number), (written as u64, i64::try_from(written).unwrap()));
        assert_eq!(report.last, place(&database).await);
        let moved = site.store.take_moved_audits();
        let expected = MovedAudit { organization: database.organization(), epoch: report.epoch, place: report.last };
        assert_eq!(moved, [expected]);
        assert_eq!(site.store.take_moved_audits(), []);
        // What could not be published is noted again, unless something later is.
        site.store.give_back_moved_audits(&moved);
        assert_eq!(site.store.take_moved_audits(), moved);
    }

    pub async fn whatever_is_done_to_an_entry_is_found_and_named(engine: Engine) {
        let dice = Dice::new(12);
        let sealed = Sealed::new(engine, &dice).await;
        let clean = verified(&sealed.database, &sealed.heads).await;
        assert_eq!((clean.fault, clean.heads), (None, sealed.heads.len()));
        assert_eq!(clean.protected.as_ref(), sealed.heads.last());
        for round in 0..TRIES * custodia_testbed::effort() {
            for way in 0..WAYS {
                let expected = sealed.tamper(&dice, way).await;
                let found = verified(&sealed.database, &sealed.heads).await.fault;
                assert_eq!(found, Some(expected), "way {way} in round {round}");
                sealed.back().await;
            }
        }
        assert_eq!(verified(&sealed.database, &sealed.heads).await.fault, None);
        let places = TRIES as usize * custodia_testbed::effort() as usize * WAYS;
        custodia_testbed::tell(&format!("{engine:?}: {places} places tampered with, each found and named"));
        // What stands after the last published head is not protected: nobody can tell.
        let change = sealed.change(&dice, sealed.last);
        run(&sealed.link, &[change]).await;
        sealed.rewrite().await;
        assert_eq!(verified(&sealed.database, &sealed.heads).await.fault, None);
    }

    pub async fn what_was_there_before_is_sealed_where_it_stands(engine: Engine) {
        let dice = Dice::new(13);
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        some_history(&database, &dice, 12).await;
        let last = place(&database).await.number;
        // As the program before left it: numbers that nobody had are among them.
        let older = [
            "ALTER TABLE custodia_audit DROP COLUMN salt",
            "ALTER TABLE custodia_audit DROP COLUMN chain",
            "ALTER TABLE custodia_head DROP COLUMN audit_chain",
            "DELETE FROM custodia_audit WHERE number = 3",
        ];
        let link = link_of(&database).await;
        run(&link, &older.map(str::to_owned)).await;
        // What the step of the storage format does.
        run(&link, &audit_log::create_seals(link.dialect())).await;
        seal_existing(&link, site.store.services()).await.unwrap();
        let report = verified(&database, &[]).await;
        assert_eq!(report.fault, None);
        let (told, when) = report.sealed_then.unwrap();
        assert_eq!((told.entries, told.through), (u64::try_from(last).unwrap() - 1, last));
        assert_eq!(when, site.clock.0.load(std::sync::atomic::Ordering::Relaxed) / 1000);
        audit(&database, vec![entry(&dice, 1)], false).await.unwrap();
        assert_eq!(verified(&database, &[]).await.last.number, last + 2);
        run(&link, &["DELETE FROM custodia_audit WHERE number = 5".to_owned()]).await;
        let found = verified(&database, &[]).await.fault;
        assert_eq!(found.map(|fault| fault.number()), Some(5), "what is removed now is found");
    }

    pub async fn a_restore_is_told_as_what_it_is(engine: Engine) {
        let dice = Dice::new(14);
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        some_history(&database, &dice, 8).await;
        let then = place(&database).await;
        let from = site.path("demo.backup");
        site.store.backup("demo", &from, &mut |_: &str| {}).await.unwrap();
        some_history(&database, &dice, 8).await;
        let lost = place(&database).await;
        let mut heads = published(&database, &[then, lost]).await;
        drop(database);
        let ring = KeyRing::generate(&dice, 7).unwrap();
        site.store.restore(&from, None, true, &ring, &mut |_: &str| {}).await.unwrap();
        let database = site.store.database("demo").await.unwrap();
        let verified = async |database: &Database, heads: &[HeadFacts]| {
            let published = Published { heads: heads.to_vec(), keys: PublicKeys::of(&ring) };
            database.verify_audit(published, &mut |_: &str| {}).await.unwrap()
        };
        let report = verified(&database, &heads).await;
        assert_eq!(report.fault, None);
        assert_eq!(report.restores.iter().map(|(_, proof)| *proof).collect::<Vec<_>>(), [RestoreProof::Signed]);
        assert_eq!(report.heads, 1);
        assert!(report.last.number > lost.number);
        let [(head, restore)] = &report.lost[..] else { panic!("{:?}", report.lost) };
        assert_eq!((head.number, restore.after, restore.epoch), (lost.number, then.number, report.epoch));
        // Heads of after the restore are no less than others.
        some_history(&database, &dice, 8).await;
        heads.extend(published(&database, &[place(&database).await]).await);
        assert_eq!(verified(&database, &heads).await.heads, 2);
        let link = link_of(&database).await;
        run(&link, &[format!("DELETE FROM custodia_audit WHERE number > {}", report.last.number)]).await;
        assert!(matches!(verified(&database, &heads).await.fault, Some(Fault::EndRemoved { .. })));
    }

    /// The entries after a place are removed, and an entry says that a restore did it, in a chain that holds.
    async fn pretend(database: &Database, then: Place, told: &RestoredThen) -> i64 {
        pretend_by(database, then, told.epoch, &of_the_platform("restore", audit_action::RESTORED, told).unwrap()).await
    }

    async fn pretend_by(database: &Database, then: Place, epoch: i64, entry: &AuditEntry) -> i64 {
        let link = link_of(database).await;
        let (mut head, chain) = link.sealed_head().await.unwrap();
        run(&link, &[format!("DELETE FROM custodia_audit WHERE number > {}", then.number)]).await;
        let mut place = Place { number: head.audit_number.max(then.number), chain: then.chain };
        assert_ne!(chain, then.chain);
        link.execute(&Unsealed::new(entry, head.commit_time, &Dice::new(99)).sealed(&mut place)).await.unwrap();
        (head.audit_number, head.versions.epoch) = (place.number, epoch);
        link.execute(&internal::store_head(&head, &place.chain)).await.unwrap();
        place.number
    }

    pub async fn a_restore_that_is_only_said_excuses_nothing(engine: Engine) {
        let dice = Dice::new(18);
        let ring = KeyRing::generate(&dice, 7).unwrap();
        let other = KeyRing::generate(&dice, 7).unwrap();
        let mut found = Vec::new();
        for way in 0..5 {
            let site = Site::new(engine).await;
            let database = site.organization("demo").await;
            some_history(&database, &dice, 6).await;
            let then = place(&database).await;
            some_history(&database, &dice, 6).await;
            let mut heads = published(&database, &[then, place(&database).await]).await;
            let organization = database.organization();
            let (epoch, after) = (heads[0].epoch + 1, then.number);
            let facts = RestoreFacts { organization, epoch, after, taken: 7, lost: false };
            let plain =
                RestoredThen { epoch, after, taken: 7, lost: false, organization: None, key: None, signature: None };
            let told = match way {
                // A head that was published by a program which did not sign restores lets older ones count.
                0 => {
                    heads.iter_mut().for_each(|head| head.restores_signed = false);
                    plain
                }
                1 => plain,
                2 => RestoredThen::signed(facts, &other).unwrap(),
                3 => RestoredThen::signed(RestoreFacts { organization: dice.guid(), ..facts }, &ring).unwrap(),
                // A signature of an earlier restore, under other facts.
                _ => RestoredThen {
                    epoch,
                    ..RestoredThen::signed(RestoreFacts { epoch: epoch + 5, ..facts }, &ring).unwrap()
                },
            };
            let number = pretend(&database, then, &told).await;
            let against = Published { heads, keys: PublicKeys::of(&ring) };
            let report = database.verify_audit(against, &mut |_: &str| {}).await.unwrap();
            let [(_, proof)] = report.restores[..] else { panic!("{:?}", report.restores) };
            let fault = report.fault.map(|fault| fault.number() == number || fault.number() == then.number + 1);
            found.push((proof, fault, report.lost.len()));
        }
        assert_eq!(
            found,
            [
                (RestoreProof::Unsigned, None, 1),
                (RestoreProof::Unsigned, Some(true), 0),
                (RestoreProof::UnknownKey, Some(true), 0),
                (RestoreProof::OtherOrganization, Some(true), 0),
                (RestoreProof::Forged, Some(true), 0),
            ]
        );
    }

    async fn pruned(database: &Database, ring: &Arc<KeyRing>, before: i64, entries_max: u32) -> bool {
        let (organization, ring) = (database.organization(), Arc::clone(ring));
        database
            .write(move |transaction: &mut Transaction| {
                let ring = Arc::clone(&ring);
                Box::pin(async move {
                    let prune = Prune { organization, before, entries_max, by: Guid::nil(), why: "retention" };
                    let Some(gap) = transaction.prune_audit(prune, &ring).await? else { return Ok(false) };
                    transaction.audit(&of_the_platform("test", audit_action::LOG_DELETED, &gap)?);
                    Ok::<_, Error>(true)
                })
            })
            .await
            .unwrap()
    }

    pub async fn what_retention_removes_is_accounted_for(engine: Engine) {
        let dice = Dice::new(15);
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        let ring = Arc::new(KeyRing::generate(&dice, 7).unwrap());
        some_history(&database, &dice, 8).await;
        let first = place(&database).await;
        let heads = published(&database, &[first]).await;
        site.clock.0.fetch_add(10_000, std::sync::atomic::Ordering::Relaxed);
        some_history(&database, &dice, 8).await;
        let now = site.clock.0.load(std::sync::atomic::Ordering::Relaxed) / 1000;

        assert!(!pruned(&database, &ring, now - 100, 1_000).await, "nothing is that old");
        assert!(pruned(&database, &ring, now - 5, 4).await);
        let report = verified(&database, &heads).await;
        assert_eq!((report.fault.clone(), report.begin, report.heads), (None, 4, 1));
        assert!(pruned(&database, &ring, now - 5, 1_000).await);
        let report = verified(&database, &heads).await;
        assert_eq!((report.fault.clone(), report.begin), (None, first.number));
        assert_eq!(report.heads, 1, "the head at the border of the gap is still compared");
        assert!(!report.gap_checked);
        assert!(!pruned(&database, &ring, now - 5, 1_000).await);

        let published = |keys| Published { heads: Vec::new(), keys };
        let checked = database.verify_audit(published(PublicKeys::of(&ring)), &mut |_: &str| {}).await.unwrap();
        assert!(checked.gap_checked && checked.fault.is_none());
        let others = KeyRing::generate(&dice, 7).unwrap();
        let foreign = database.verify_audit(published(PublicKeys::of(&others)), &mut |_: &str| {}).await.unwrap();
        assert!(matches!(foreign.fault, Some(Fault::Gap { .. })), "{:?}", foreign.fault);
        // More removed than is told, and a record that no entry repeats.
        let link = link_of(&database).await;
        let removed = first.number + 1;
        run(&link, &[format!("DELETE FROM custodia_audit WHERE number = {removed}")]).await;
        assert_eq!(verified(&database, &[]).await.fault, Some(Fault::Removed { from: removed, through: removed }));
        let (mut gap, database) = (report.gap.unwrap(), database);
        gap.facts.why = "none".to_owned();
        let forged = serde_json::to_vec(&gap).unwrap();
        link.execute(&internal::upsert_setting(crate::seal::gap::GAP, forged)).await.unwrap();
        let found = verified(&database, &[]).await.fault;
        assert!(matches!(found, Some(Fault::Gap { number, .. }) if number == first.number), "{found:?}");
    }

    pub async fn a_forged_gap_record_that_claims_a_restore_is_not_believed(engine: Engine) {
        let dice = Dice::new(19);
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        let ring = Arc::new(KeyRing::generate(&dice, 7).unwrap());
        some_history(&database, &dice, 8).await;
        site.clock.0.fetch_add(10_000, std::sync::atomic::Ordering::Relaxed);
        let now = site.clock.0.load(std::sync::atomic::Ordering::Relaxed) / 1000;
        some_history(&database, &dice, 4).await;
        assert!(pruned(&database, &ring, now - 5, 4).await);
        let then = place(&database).await;
        some_history(&database, &dice, 8).await;
        let mut heads = published(&database, &[then, place(&database).await]).await;
        // Also those who trusted restores that nobody signed.
        heads.iter_mut().for_each(|head| head.restores_signed = false);
        let against = || Published { heads: heads.clone(), keys: PublicKeys::of(&ring) };
        let found = database.verify_audit(against(), &mut |_: &str| {}).await.unwrap();
        assert_eq!((found.fault.clone(), found.gap_checked), (None, true));
        let mut gap = found.gap.unwrap();
        let epoch = heads[0].epoch + 1;
        let claim = RestoredThen {
            epoch,
            after: then.number,
            taken: 7,
            lost: false,
            organization: None,
            key: None,
            signature: None,
        };
        gap.facts.restores.push(claim);
        let link = link_of(&database).await;
        let forged = serde_json::to_vec(&gap).unwrap();
        link.execute(&internal::upsert_setting(crate::seal::gap::GAP, forged)).await.unwrap();
        let found = database.verify_audit(against(), &mut |_: &str| {}).await.unwrap().fault;
        assert!(matches!(found, Some(Fault::Gap { .. })), "{found:?}");
        // And where an entry in a chain that holds repeats it, its signature tells.
        let repeated = of_the_platform("test", audit_action::LOG_DELETED, &gap).unwrap();
        pretend_by(&database, then, epoch, &repeated).await;
        let found = database.verify_audit(against(), &mut |_: &str| {}).await.unwrap().fault;
        let fits = |why: &str| why == "the signature of the gap record does not fit";
        assert!(matches!(found, Some(Fault::Gap { why, .. }) if fits(why)), "{found:?}");
    }

    pub async fn erased_values_leave_the_chain_whole(engine: Engine) {
        let dice = Dice::new(16);
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        some_history(&database, &dice, 80).await;
        let heads = published(&database, &[place(&database).await]).await;
        let (table, row) = (TableId(1), Guid::from_u128(1));
        let before = database.audit_entries(&AuditFilter::of_row(1_000, table, row)).await.unwrap();
        assert!(before.iter().any(|record| record.entry.changes.iter().any(|change| !change.new.is_null())));
        let told = database
            .write(move |transaction: &mut Transaction| {
                Box::pin(async move {
                    let told = transaction
                        .erase_audit(Erasure {
                            table,
                            row,
                            after: 0,
                            since: i64::MIN,
                            entries_max: 1_000,
                            why: "asked for",
                        })
                        .await?;
                    let about = of_the_platform("test", audit_action::LOG_DELETED, &told)?;
                    transaction.audit(&AuditEntry { table, row, ..about });
                    Ok::<_, Error>(told)
                })
            })
            .await
            .unwrap();
        assert_eq!(told.entries, before.len());
        let report = verified(&database, &heads).await;
        assert_eq!((report.fault, report.erased, report.heads), (None, before.len() as u64, 1));
        let after = database.audit_entries(&AuditFilter::of_row(1_000, table, row)).await.unwrap();
        assert_eq!(after.len(), before.len() + 1);
        for (after, before) in after.iter().skip(1).zip(&before) {
            assert!(after.erased && after.entry.detail.is_none() && !before.erased);
            assert!(after.entry.changes.iter().all(|change| change.old.is_null() && change.new.is_null()));
            let columns = |record: &crate::AuditRecord| {
                record.entry.changes.iter().map(|change| change.column).collect::<Vec<_>>()
            };
            assert_eq!(columns(after), columns(before), "which columns had changed is still told");
        }
    }

    pub async fn an_export_is_verified_like_the_database(engine: Engine) {
        let dice = Dice::new(17);
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        some_history(&database, &dice, 20).await;
        let heads = published(&database, &[place(&database).await]).await;
        let mut export = database.export_audit().await.unwrap();
        let mut text = String::new();
        while let Some(lines) = export.next().await.unwrap() {
            text.push_str(&lines);
        }
        let against = |organization: Guid| {
            assert_eq!(organization, database.organization());
            Published { heads: heads.clone(), keys: PublicKeys::default() }
        };
        let read = |text: &str| verify_export(text.as_bytes(), against, &mut |_: &str| {});
        assert_eq!(read(&text).unwrap(), verified(&database, &heads).await);
        let lines: Vec<_> = text.lines().collect();
        let without: String =
            lines.iter().enumerate().filter(|(at, _)| *at != 4).map(|(_, line)| format!("{line}\n")).collect();
        assert_eq!(read(&without).unwrap().fault, Some(Fault::Removed { from: 4, through: 4 }));
        let changed = text.replacen("\"origin\":\"test\"", "\"origin\":\"best\"", 1);
        assert_eq!(read(&changed).unwrap().fault, Some(Fault::Changed { number: 1 }));
        let cut = &text[..text.len() - 30];
        assert!(read(cut).unwrap().fault.is_some());
        assert!(matches!(read("{}\n"), Err(Error::Query(_))) && read("").is_err());
    }

    /// Filed or not, over the border, after the oldest are gone, and in a database whose entries wait to be filed.
    pub async fn what_tells_of_a_record_is_found_however_many_others_there_are(engine: Engine) {
        let site = Site::new(engine).await;
        let database = site.organization("demo").await;
        let (dice, ring) = (Dice::new(8), Arc::new(KeyRing::generate(&Dice::new(8), 7).unwrap()));
        let filed = async |database: &Database| {
            let link = link_of(database).await;
            match link.dialect() {
                Dialect::Postgres => None,
                Dialect::Sqlite => {
                    let counts = crate::sql::Statement {
                        sql: "SELECT through, (SELECT count(*) FROM custodia_audit_filed) FROM custodia_audit_filing"
                            .to_owned(),
                        outputs: vec![crate::sql::Output::Integer; 2],
                        ..Default::default()
                    };
                    let found = crate::link::rows(&link, &counts, |row| Some((row.integer(0)?, row.integer(1)?))).await;
                    Some(found.unwrap()[0])
                }
            }
        };
        // What the entries themselves say, by reading all of them.
        let told = async |database: &Database, row: u128| {
            let mut all = AuditFilter::newest(u32::MAX);
            all.row = Some(Guid::from_u128(row));
            let all = database.audit_entries(&all).await.unwrap();
            let of_table = all.iter().filter(|record| record.entry.table == TableId(2));
            of_table.map(|record| record.number).collect::<Vec<_>>()
        };
        let found = async |database: &Database, row: u128| {
            let filter = AuditFilter::of_row(u32::MAX, TableId(2), Guid::from_u128(row));
            database.audit_entries(&filter).await.unwrap().iter().map(|record| record.number).collect::<Vec<_>>()
        };
        let mut last = 0;
        for (request, many) in [(0, 8_000), (1, 191), (2, 1), (3, 40), (4, 8_200)] {
            audit(&database, (0..many).map(|_| entry(&dice, request)).collect(), false).await.unwrap();
            last += many;
            for row in 0..4 {
                let numbers = found(&database, row).await;
                assert!(request == 2 || !numbers.is_empty());
                assert_eq!(numbers, told(&database, row).await, "row {row} after {last} entries");
            }
            let expected = match request {
                0 | 1 => (0, 0),
                2 | 3 => (8_192, 8_192),
                _ => (16_432, 16_432),
            };
            if let Some(filed) = filed(&database).await {
                assert_eq!(filed, expected, "after {last} entries");
            }
        }
        assert!(pruned(&database, &ring, i64::MAX, 5_000).await);
        if let Some(filed) = filed(&database).await {
            assert_eq!(filed, (16_432, 11_432));
        }
        assert_eq!(found(&database, 1).await, told(&database, 1).await);
    }
}
