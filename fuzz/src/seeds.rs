//! Seeds, written where a fuzzer looks for them.

use std::path::PathBuf;
use std::{env, fs, process};

/// The environment variable that names the folder in which a target is to leave its seeds instead of fuzzing.
pub const VARIABLE: &str = "SCANWATCH_FUZZ_SEEDS";

/// Where [`VARIABLE`] is set, writes each seed into that folder, by its number, and ends the process.
pub fn write_where_asked(seeds: impl FnOnce() -> Vec<Vec<u8>>) {
    let Some(folder) = env::var_os(VARIABLE).map(PathBuf::from) else { return };
    let written = fs::create_dir_all(&folder).and_then(|()| {
        let mut seeds = seeds().into_iter().enumerate();
        seeds.try_for_each(|(number, seed)| fs::write(folder.join(format!("seed-{number:04}")), seed))
    });
    if let Err(error) = written {
        eprintln!("seeds cannot be written to {}: {error}", folder.display());
        process::exit(1);
    }
    process::exit(0);
}
