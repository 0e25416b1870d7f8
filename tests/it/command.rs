//! How tests run the `millrace` command: built once by cargo, run in a directory of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// What a run of the command left.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The root of the project.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The command's path: cargo builds it where this test binary stands.
pub(crate) fn millrace() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let build = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "cli"])
            .current_dir(root())
            .status();
        assert!(build.unwrap().success(), "the command builds");
        // …/target/debug/deps/it-… → …/target/debug/millrace
        let test = std::env::current_exe().unwrap();
        test.parent().unwrap().parent().unwrap().join("millrace")
    })
}

/// Runs the command in a directory.
pub(crate) fn run(directory: &Path, arguments: &[&str]) -> Ran {
    let Output { status, stdout, stderr } =
        Command::new(millrace()).args(arguments).current_dir(directory).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
}

/// A directory with the home-insurance contract and some files.
pub(crate) fn place(files: &[(&str, &str)]) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let contract = root().join("examples/home-insurance/contract.yaml");
    std::fs::copy(contract, place.path().join("contract.yaml")).unwrap();
    for (name, text) in files {
        let file = place.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    place
}
