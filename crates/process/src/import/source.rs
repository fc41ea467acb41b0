//! A file to bring in, and the files that stand beside it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Opens a file from its beginning, once for each pass over it.
type Open = Box<dyn Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync>;

/// A file to bring in.
pub struct Source {
    pub(super) name: String,
    pub(super) open: Open,
    pub(super) beside: Option<Beside>,
}

/// What stands beside a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Beside {
    /// The rows that failed.
    pub errors: PathBuf,
    /// How far the import is.
    pub state: PathBuf,
}

impl Source {
    /// A file of the machine. While it is brought in, `FILE.import-state` beside it says how far the import is; rows that
    /// fail go to `FILE.errors.csv`.
    #[must_use]
    pub fn file(path: &Path) -> Self {
        let beside = |ending: &str| {
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(ending);
            path.with_file_name(name)
        };
        let opened = path.to_owned();
        Self {
            name: path.display().to_string(),
            open: Box::new(move || Ok(Box::new(File::open(&opened)?))),
            beside: Some(Beside { errors: beside(".errors.csv"), state: beside(".import-state") }),
        }
    }

    /// A text in memory. An import of it that is interrupted begins at the first row again, and finds what it has made.
    #[must_use]
    pub fn memory(name: &str, content: impl AsRef<[u8]> + Clone + Send + Sync + 'static) -> Self {
        let open = move || Ok(Box::new(io::Cursor::new(content.clone())) as Box<dyn Read + Send>);
        Self { name: name.to_owned(), open: Box::new(open), beside: None }
    }
}
