//! Measures Custodia beside a bare program that does the same work without checks (`make bench`).
//!
//! Absolute figures move by a factor of ten on shared machines, so everything here is a ratio measured in one run: the
//! two sides take turns, several times, and the median is quoted; the server's CPU time per request stands beside the
//! rate, and a raw probe of the disk beside every durable write. `BENCHMARKS.md` has the figures.
//!
//! - [`world`] is the data, [`work`] the questions, the same for both sides;
//! - [`bare`], [`yardstick_file`] and the program `custodia-yardstick` are the one side, [`custodia`] the other;
//! - [`million`] brings many records in and out and needs no other side (`scripts/million`);
//! - [`organizations`] measures many of them on one machine, without a yardstick;
//! - [`load`] asks and counts, [`measure`] lets the sides take turns, [`import`] does so with files, [`scale`] measures few
//!   rows against many, [`sealing`] what the sealed audit costs, [`report`] writes it down.

#![expect(clippy::disallowed_methods, reason = "measuring is reading the clock")]

pub mod bare;
pub mod check;
pub mod cluster;
pub mod custodia;
pub mod disk;
pub mod http;
pub mod import;
pub mod load;
pub mod measure;
pub mod million;
pub mod organizations;
pub mod process;
pub mod report;
pub mod scale;
pub mod sealing;
pub mod statement_loop;
pub mod statements;
pub mod work;
pub mod world;
pub mod yardstick;
pub mod yardstick_file;
