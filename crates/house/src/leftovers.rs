//! Nothing is left behind: no unfinished business, and nothing that is true on one machine only.

use crate::finding::Finding;
use crate::repository::File;
use crate::source::Source;

/// Marks of unfinished business, each in two halves so that this file does not carry them.
const UNFINISHED: &[(&str, &str)] = &[("TO", "DO"), ("FIX", "ME"), ("XX", "X")];

/// Folders at the root of a file system that differ from machine to machine.
const MACHINE_FOLDERS: &[&str] = &["root", "home", "Users", "work"];

/// Comments that put something off.
#[must_use]
pub fn unfinished(source: &Source) -> Vec<Finding> {
    let marks: Vec<String> = UNFINISHED.iter().map(|(one, other)| format!("{one}{other}")).collect();
    let put_off = source.comments.iter().filter(|comment| {
        comment
            .text
            .split(|character: char| !character.is_alphanumeric())
            .any(|word| marks.iter().any(|mark| mark == word))
    });
    let ignored = source.code.match_indices("#[ignore").filter(|(offset, _)| !is_command(source, *offset)).map(|(offset, _)| {
        let message = "a test runs or is not there: assert today's behaviour and note that it is a known fault; only a command \
                       in a test's clothes may stand aside, as #[ignore = \"rewrites …\"], \"makes …\" or \"run by …\"";
        Finding::new(&source.path, source.line(offset), message)
    });
    put_off
        .map(|comment| {
            let message = "do it, or write it down in docs/gaps.md where somebody looks for it";
            Finding::new(&source.path, source.line(comment.offset), message)
        })
        .chain(ignored)
        .collect()
}

/// Reasons of commands in a test's clothes: they rewrite or make what tests expect, or are a process of another test.
const COMMANDS: &[&str] = &["rewrites ", "makes ", "run by "];

/// Whether the attribute at this place marks what is asked for by name.
fn is_command(source: &Source, attribute: usize) -> bool {
    let end =
        source.code.get(attribute..).and_then(|rest| rest.find(']')).map_or(attribute, |length| attribute + length);
    source
        .literals
        .iter()
        .filter(|literal| (attribute..end).contains(&literal.offset))
        .any(|literal| COMMANDS.iter().any(|command| literal.text.starts_with(command)))
}

/// Lines that name a folder of one machine.
#[must_use]
pub fn machine_paths(file: &File) -> Vec<Finding> {
    let folders: Vec<String> = MACHINE_FOLDERS.iter().map(|folder| format!("/{folder}/")).collect();
    file.text
        .lines()
        .enumerate()
        .filter(|(_, line)| folders.iter().any(|folder| names_from_root(line, folder)))
        .map(|(number, _)| {
            Finding::new(
                &file.path,
                number + 1,
                "a path that only one machine has: name it from the root of the repository",
            )
        })
        .collect()
}

/// Whether the line has this folder at the beginning of a path, not within one.
fn names_from_root(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(offset, _)| {
        let before = line.get(..offset).and_then(|text| text.chars().next_back());
        !before.is_some_and(|character| character.is_alphanumeric() || "/._-~}*".contains(character))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_off_is_found() {
        let mark = UNFINISHED.first().map(|(one, other)| format!("{one}{other}")).unwrap();
        let text = format!(
            "// {mark}: later\nfn f() {{}} // {mark}S is another word\nlet a = \"{mark}\";\n#[ignore]\nfn g() {{}}\n\
             #[ignore = \"rewrites the files\"]\nfn h() {{}}\n#[ignore = \"slow\"]\nfn i() {{ \"rewrites \" }}\n"
        );
        let source = Source::parse(&File::sample("a.rs", &text));
        assert_eq!(unfinished(&source).iter().map(|finding| finding.line).collect::<Vec<_>>(), [1, 4, 8]);
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let folder = MACHINE_FOLDERS.first().unwrap();
        let text =
            format!("see /{folder}/notes\nsee docs/{folder}/notes\n\"/{folder}/x\"\nhttps://example.org/{folder}/\n");
        let found: Vec<usize> =
            machine_paths(&File::sample("README.md", &text)).iter().map(|finding| finding.line).collect();
        assert_eq!(found, [1, 3]);
    }
}
