//! Publishing where the audits of the organisations stand: signed lines in a file outside of every database, and on the log.
//!
//! Whoever can write the databases can write their audits anew from the beginning. What cannot be changed any more is what
//! was published: a copy of the file that is out of reach is what the audits are verified against.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arc_swap::ArcSwap;
use custodia_schema::Guid;
use custodia_store::{KeyRing, Line, MovedAudit, PublicKeys, Publications, Published, Random, Store};
use parking_lot::Mutex;

/// Where the keys are kept in the control database.
const KEYS: &str = "audit signing keys";
/// Who may read the file: it holds no secrets, but who changed something when is nobody else's business.
const OWNER_AND_GROUP: u32 = 0o640;

/// The file that heads are published in, and the keys that they are signed with.
pub struct AuditHeads {
    file: PathBuf,
    ring: ArcSwap<KeyRing>,
    /// Who writes the file; the id of the newest key that is known to stand in it.
    writing: Mutex<Option<String>>,
}

impl AuditHeads {
    /// Reads the keys of an installation, or makes the first one.
    ///
    /// # Errors
    /// Store errors.
    pub async fn open(store: &Store, file: PathBuf, random: &dyn Random, now: i64) -> Result<Self> {
        let ring = match store.secret(KEYS).await? {
            Some(stored) => KeyRing::from_stored(&stored)?,
            None => {
                let ring = KeyRing::generate(random, now)?;
                store.put_secret(KEYS, &ring.to_stored()?).await?;
                ring
            }
        };
        Ok(Self { file, ring: ArcSwap::from_pointee(ring), writing: Mutex::new(None) })
    }

    /// The keys.
    pub fn ring(&self) -> Arc<KeyRing> {
        self.ring.load_full()
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Reads the keys again: another node may have changed them.
    ///
    /// # Errors
    /// Store errors.
    pub async fn reload(&self, store: &Store) -> Result<()> {
        if let Some(stored) = store.secret(KEYS).await? {
            self.ring.store(Arc::new(KeyRing::from_stored(&stored)?));
        }
        Ok(())
    }

    /// Signs with a new key from now on, which the present one endorses, and publishes it.
    ///
    /// # Errors
    /// Store errors; when the file cannot be written.
    pub async fn rotate(&self, store: &Store, random: &dyn Random, now: i64) -> Result<String> {
        self.reload(store).await?;
        let rotated = self.ring().rotated(random, now)?;
        store.put_secret(KEYS, &rotated.to_stored()?).await?;
        let new = rotated.keys().last().context("a ring has a key")?.clone();
        let id = new.facts.id.clone();
        self.ring.store(Arc::new(rotated));
        self.append(&[Line::Key(new)])?;
        Ok(id)
    }

    /// Publishes the audits that moved; how many. Those that cannot be published are kept for the next time.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn publish(&self, store: &Store, now: i64) -> Result<usize> {
        let moved = store.take_moved_audits();
        let published = self.publish_all(&moved, now);
        if published.is_err() {
            store.give_back_moved_audits(&moved);
        }
        published.map(|()| moved.len())
    }

    fn publish_all(&self, moved: &[MovedAudit], now: i64) -> Result<()> {
        if moved.is_empty() {
            return Ok(());
        }
        let ring = self.ring();
        let mut lines = Vec::with_capacity(moved.len());
        for audit in moved {
            lines.push(Line::Head(ring.sign_head(audit.organization, audit.epoch, audit.place, now)?));
        }
        self.append(&lines)?;
        for audit in moved {
            tracing::info!(
                organization.id = %audit.organization,
                epoch = audit.epoch,
                number = audit.place.number,
                chain = %audit.place.chain,
                "an audit was sealed up to here"
            );
        }
        Ok(())
    }

    /// Adds lines to the file, and before them the keys that are not in it yet: those of a new file, and those that another
    /// node made or that could not be written when they were made. So each file can be read by itself.
    fn append(&self, lines: &[Line]) -> Result<()> {
        let mut newest = self.writing.lock();
        let ring = self.ring();
        let present = ring.keys().last().map(|key| key.facts.id.clone());
        let failed = || {
            format!(
                "heads of audits cannot be published in {}: see audit.heads_file in the configuration",
                self.file.display()
            )
        };
        let open = File::options().create(true).append(true).read(true).mode(OWNER_AND_GROUP).open(&self.file);
        let mut file = open.with_context(failed)?;
        let mut text = String::new();
        if file.seek(SeekFrom::End(0)).with_context(failed)? > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last)).with_context(failed)?;
            if last != *b"\n" {
                // Somebody was stopped by force while writing.
                text.push('\n');
            }
        }
        if *newest != present {
            let mut there = String::new();
            file.rewind().and_then(|()| file.read_to_string(&mut there)).with_context(failed)?;
            for key in ring.keys() {
                let line = Line::Key(key.clone()).text()? + "\n";
                if !there.contains(&line) {
                    text.push_str(&line);
                }
            }
        }
        for line in lines {
            let line = line.text()? + "\n";
            if !text.contains(&line) {
                text.push_str(&line);
            }
        }
        file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).with_context(failed)?;
        *newest = present;
        Ok(())
    }
}

/// Reads what a file has of one organisation; lines that are none are told of.
///
/// # Errors
/// When the file cannot be read, or a line is not signed as it should be: then the file was changed.
pub fn read(file: &Path, organization: Guid, tell: &mut dyn FnMut(&str)) -> Result<Published> {
    let failed = || format!("the published heads {}", file.display());
    let lines = BufReader::new(File::open(file).with_context(failed)?).lines();
    let mut found = Publications::default();
    for (number, line) in (1..).zip(lines) {
        if let Err(why) = found.take(number, &line.with_context(failed)?, organization) {
            bail!("{}:{number}: {why}; the file was changed, take another copy of it", file.display());
        }
    }
    for number in &found.broken_lines {
        tell(&format!("{}:{number}: not a whole line, passed over", file.display()));
    }
    Ok(Published { heads: found.heads, keys: found.keys })
}

/// Nothing published, but the keys of the installation.
pub fn none(ring: &KeyRing) -> Published {
    Published { heads: Vec::new(), keys: PublicKeys::of(ring) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use custodia_store::{Chain, MasterKey, Place, Settings};

    use super::*;
    use crate::ambient::{SystemClock, SystemRandom};

    /// Each file of an installation's nodes is read by itself, whichever node made a key and whichever wrote since.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_file_has_the_keys_that_other_nodes_made() {
        let folder = tempfile::tempdir().unwrap();
        let random = Arc::new(SystemRandom);
        let store = Store::open(Settings {
            folder: folder.path().to_owned(),
            postgres: None,
            master: MasterKey::generate(random.as_ref()),
            limits: custodia_store::Limits::default(),
            schema: custodia_schema::standard(),
            clock: Arc::new(SystemClock::start()),
            random: random.clone(),
            file_layer: None,
        })
        .await
        .unwrap();
        let organization = Guid::from_u128(5);
        let open = async |name: &str| {
            let file = folder.path().join(name);
            AuditHeads::open(&store, file, random.as_ref(), 7).await.unwrap()
        };
        let (here, there) = (open("here").await, open("there").await);
        let publish = |heads: &AuditHeads, number: i64| {
            let place = Place { number, chain: Chain::BEGINNING };
            heads.publish_all(&[MovedAudit { organization, epoch: 1, place }], 8).unwrap();
        };
        let check = |heads: &AuditHeads, numbers: &[i64]| {
            let found = read(heads.file(), organization, &mut |line| panic!("{line}")).unwrap();
            assert_eq!(found.heads.iter().map(|head| head.number).collect::<Vec<_>>(), numbers);
        };
        publish(&here, 1);
        publish(&there, 2);
        here.rotate(&store, random.as_ref(), 9).await.unwrap();
        here.rotate(&store, random.as_ref(), 10).await.unwrap();
        publish(&here, 3);
        there.reload(&store).await.unwrap();
        publish(&there, 4);
        check(&here, &[1, 3]);
        check(&there, &[2, 4]);
        // A file that was moved away begins anew with all of them.
        std::fs::remove_file(there.file()).unwrap();
        let again = open("there").await;
        publish(&again, 5);
        check(&again, &[5]);
    }
}
