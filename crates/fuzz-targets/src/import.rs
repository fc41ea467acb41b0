//! Imports: mapping files, and the rows of CSV files.

use std::sync::LazyLock;

use custodia_process::import::{Advance, Error, Import, Options, Source};

use crate::questions::schema;
use crate::world::world;

/// A mapping file.
pub(crate) fn mapping(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Import::load(schema(), text, "mapping.toml") {
        Ok(import) => assert!(!import.table().is_intersect),
        Err(error) => {
            let lines = text.lines().count();
            assert!((1..=lines + 1).contains(&error.line) && !error.problem.is_empty(), "{error}");
        }
    }
}

/// Mappings that together have every way of reading a cell. Their names are the first lines of inputs.
const MAPPINGS: [(&str, &str); 3] = [
    (
        "deals",
        "name = \"deals\"\ntable = \"opportunity\"\nkey = [\"No\", \"Year\"]\ntime_zone = \"Europe/Berlin\"\ndelimiter = \";\"\n\
         only = { column = \"Deleted\", is_not = \"yes\" }\n[columns]\n\
         name = { from = [\"Product\", \"Customer\"], join = \" for \", map = { GTXPro = \"GTX Pro\" }, otherwise = \"?\" }\n\
         customerid = { from = \"Customer\", lookup = { table = \"account\", by = [\"accountnumber\", \"name\"] }, missing = \"leave\" }\n\
         ownerid = { from = \"Seller\", lookup = \"user\", missing = \"leave\" }\n\
         estimatedvalue = { from = \"Value\", scale = 1000, decimal_mark = \",\", group_mark = \".\" }\n\
         estimatedclosedate = { from = \"Expected\", date = \"D.M.YYYY\" }\n\
         overriddencreatedon = { from = \"Created\", date = \"D.M.YYYY H:MM\" }\n\
         opportunityratingcode = { from = \"Rating\", map = { A = \"Hot\", B = \"Warm\" }, otherwise = \"Cold\" }\n\
         closeprobability = \"Chance\"\n\
         statuscode = [\n    { value = \"Won\", when = { column = \"Stage\", is = \"won\" } },\n    \
         { value = \"Canceled\", when = [{ column = \"Stage\", is = [\"lost\", \"gone\"] }, { column = \"Seller\", empty = false }] },\n]\n",
    ),
    (
        "companies",
        "name = \"companies\"\ntable = \"account\"\nkey = \"id\"\nempty = \"clear\"\n[columns]\nname = \"company\"\n\
         telephone1 = { from = \"phone\", replace = { \"(0)\" = \"\", \" \" = \"-\" } }\n\
         address1_city = { from = \"place\", split = \",\", part = 1 }\n\
         address1_stateorprovince = { from = \"place\", split = \",\", part = \"2..\" }\n\
         tickersymbol = { from = \"symbol\", case = \"upper\" }\n\
         description = { from = [\"branch\", \"remark\"], join = \": \", prefix = \"Branch \", suffix = \".\" }\n\
         donotphone = \"do not call\"\nnumberofemployees = \"people\"\naddress1_latitude = \"latitude\"\n\
         revenue = { from = \"turnover\", scale = 1_000_000, group_mark = \",\" }\n\
         parentaccountid = { from = \"belongs to\", lookup = { by = \"name\" }, later = true, missing = \"leave\" }\n",
    ),
    (
        "people",
        "name = \"people\"\ntable = \"contact\"\nkey = \"id\"\n[columns]\nlastname = \"name\"\nbirthdate = \"born\"\n\
         anniversary = { from = \"married\", date = \"MMM D, YYYY\" }\n\
         lastusedincampaign = { from = \"seen\", date = \"M/D/YYYY h:MM A\", time_zone = \"America/New_York\" }\n\
         gendercode = \"gender\"\ncreditlimit = \"limit\"\n\
         parentcustomerid = { from = \"company\", lookup = { table = \"account\", mapping = \"companies\" } }\n",
    ),
];

/// A CSV file: in the first line the name of a mapping, then the header and the rows. They come to somebody who may change
/// nothing, so each row is refused at the latest where it would be written.
pub(crate) fn rows(data: &[u8]) {
    static IMPORTS: LazyLock<Vec<(&str, Import)>> = LazyLock::new(|| {
        let load = |(name, text): &(&'static str, &str)| {
            (*name, Import::load(schema(), text, name).unwrap_or_else(|error| panic!("{error}")))
        };
        MAPPINGS.iter().map(load).collect()
    });
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (name, file) = data.split_at(end);
    let Some((_, import)) = IMPORTS.iter().find(|(known, _)| known.as_bytes() == name) else { return };
    let file = file.strip_prefix(b"\n").unwrap_or_default().to_vec();
    let lines = file.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    let world = world();
    // Small batches, so that small files have several.
    let options = Options { batch_rows: 4, in_flight: 1 };
    let sources = vec![Source::memory("rows.csv", file)];
    let ran = world.run(import.run(&world.organization, &world.reader(), sources, &options, &mut |_: &Advance<'_>| {}));
    match ran {
        Ok(report) => {
            let counts = report.counts();
            assert_eq!(counts.created + counts.updated, 0, "{report:?}");
            assert_eq!(counts.read, counts.unchanged + counts.skipped + counts.failed, "{report:?}");
            for reject in report.files.iter().flat_map(|file| &file.samples) {
                assert!((1..=lines).contains(&reject.line) && !reject.reason.is_empty(), "{reject:?}");
            }
        }
        Err(Error::Input { line, problem, .. }) => assert!((1..=lines).contains(&line) && !problem.is_empty()),
        Err(Error::Mapping(error)) => assert!(!error.problem.is_empty()),
        Err(error) => panic!("{error}"),
    }
}
