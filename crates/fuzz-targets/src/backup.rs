//! The end of a backup, which says what is in it.

use aws_lc_rs::{digest, hmac};
use custodia_schema::Guid;
use custodia_store::{KeyRing, MasterKey};

use crate::world::world;

/// The organisation that manifests here tell of: `00000000-0000-4000-8000-00000000000b`.
const ORGANIZATION: Guid = Guid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_000b);
/// The bytes of its data key.
const KEY: [u8; 32] = [9; 32];
/// What stands where the database would.
const DATABASE: &[u8] = b"no database";

/// A backup: any bytes as the file, or, where they begin with a brace, as the manifest of one, which is then proved. In it
/// `THE-KEY` stands for the wrapped key, `THE-DATABASE` for the hash of the database.
pub(crate) fn manifest(data: &[u8]) {
    let file = if data.first() == Some(&b'{') { proved(data) } else { data.to_vec() };
    let world = world();
    let path = world.folder.path().join("fuzzed-backup");
    std::fs::write(&path, file).expect("a file is written");
    let ring = KeyRing::generate(world.random.as_ref(), 7).expect("a key is made");
    let restored = world.run(world.store.restore(&path, None, false, &ring, &mut |_: &str| {}));
    let error = restored.expect_err("what is not a database is not restored");
    assert!(!error.to_string().is_empty());
    assert!(world.store.organization("demo").is_ok(), "what there is stays");
}

/// A whole backup with that manifest, proved as the store does it.
fn proved(manifest: &[u8]) -> Vec<u8> {
    let world = world();
    let manifest = match std::str::from_utf8(manifest) {
        Ok(text) => {
            let sealed = world.master.seal(&KEY, ORGANIZATION, world.random.as_ref()).expect("a key is wrapped");
            let text = text.replace("THE-KEY", &hex(&sealed));
            text.replace("THE-DATABASE", &hex(digest::digest(&digest::SHA256, DATABASE).as_ref())).into_bytes()
        }
        Err(_) => manifest.to_vec(),
    };
    // A data key is derived from as the master key is.
    let key = MasterKey::parse(&hex(&KEY)).expect("a key is read").derive("backup manifest");
    let proof = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &manifest);
    let mut file = DATABASE.to_vec();
    file.extend_from_slice(&manifest);
    file.extend_from_slice(proof.as_ref());
    file.extend_from_slice(&(DATABASE.len() as u64).to_le_bytes());
    file.extend_from_slice(&u32::try_from(manifest.len()).expect("inputs are short").to_le_bytes());
    file.extend_from_slice(&1_u32.to_le_bytes());
    file.extend_from_slice(b"CUSTODIA BACKUP\n");
    file
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
