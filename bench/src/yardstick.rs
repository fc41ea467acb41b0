//! The yardstick as a side of a measurement.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::process::Server;
use crate::yardstick_file::make;

/// A running yardstick and its file.
#[derive(Debug)]
pub struct Yardstick {
    /// The process.
    pub server: Server,
    /// Its database.
    pub file: PathBuf,
}

impl Yardstick {
    /// Makes the file in a folder and serves it.
    ///
    /// # Errors
    /// A folder that has one already; a program that does not start.
    pub fn start(program: &Path, folder: &Path) -> Result<Self> {
        let file = folder.join("yardstick.db");
        make(&file)?;
        let mut command = Command::new(program);
        command.arg(&file).arg("127.0.0.1:0");
        Ok(Self { server: Server::start(&mut command, &folder.join("yardstick.log"))?, file })
    }
}
