//! The real program: started, asked over HTTP and at its command line, stopped and killed; on both engines where the
//! engine matters.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod auditing;
mod backups;
mod cards;
mod columns;
mod configuration;
mod demo;
mod encryption;
mod entrances;
mod explanations;
mod exports;
mod headers;
mod http;
mod imports;
mod indexes;
mod jobs;
mod keys;
mod limits;
mod logs;
mod machines;
mod organizations;
mod quotas;
mod sealing;
mod sessions;

mod sign_in;
mod site;
mod starting;
mod stopping;
mod tokens;
