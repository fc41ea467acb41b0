//! Lists `standard/*.toml`, so that a new table needs a file and nothing else.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=standard");
    let mut names = Vec::new();
    for entry in fs::read_dir("standard")? {
        let name = entry?.file_name().into_string().map_err(|name| io::Error::other(format!("{name:?} is no text")))?;
        if name.ends_with(".toml") {
            names.push(name);
        }
    }
    names.sort();
    let mut list = String::from("static FILES: &[(&str, &str)] = &[\n");
    for name in names {
        let path = format!("concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/standard/{name}\")");
        writeln!(list, "    ({name:?}, include_str!({path})),").map_err(io::Error::other)?;
    }
    list.push_str("];\n");
    let folder = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set: run by cargo"))?;
    fs::write(Path::new(&folder).join("standard_files.rs"), list)
}
