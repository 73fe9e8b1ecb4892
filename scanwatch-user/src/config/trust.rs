//! Whether a configuration can be trusted: whoever writes it decides what is told, and to whom.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::{env, fs, io};

use super::{ConfigError, unreadable};

/// Others may write.
const WORLD_WRITABLE: u32 = 0o002;
/// What lies in the folder is renamed and removed by its owner alone.
const STICKY: u32 = 0o1000;

/// Refuses a file that anybody may write, be it by way of its folder; and one that belongs neither to root nor to `user`,
/// where that is given. What is no regular file, a pipe of a shell for one, is its writer's affair.
///
/// # Errors
/// One sentence that says who might write it, and what to do.
pub fn check_trust(path: &Path, user: Option<u32>) -> Result<(), ConfigError> {
    let refused = |message: String| ConfigError { file: path.display().to_string(), line: None, message };
    let cannot = |error: io::Error| refused(unreadable(&error));
    let file = fs::metadata(path).map_err(cannot)?;
    if !file.is_file() {
        return Ok(());
    }
    why_not(&file, user).map_or(Ok(()), |message| Err(refused(message)))?;
    for folder in folders(path).map_err(cannot)? {
        let metadata = fs::metadata(&folder).map_err(cannot)?;
        if is_open_to_all(&metadata) {
            return Err(refused(format!(
                "lies in {0}, where anybody may put another in its place; chmod o-w {0}",
                folder.display()
            )));
        }
    }
    Ok(())
}

fn why_not(file: &Metadata, user: Option<u32>) -> Option<String> {
    if file.mode() & WORLD_WRITABLE != 0 {
        return Some("may be written by anybody; chmod o-w it".to_owned());
    }
    let owner = file.uid();
    let is_foreign = user.is_some_and(|user| owner != user && owner != 0);
    is_foreign.then(|| {
        format!(
            "belongs to user {owner}, who is neither root nor the one that runs scanwatch; give it to one of them"
        )
    })
}

fn is_open_to_all(folder: &Metadata) -> bool {
    folder.mode() & WORLD_WRITABLE != 0 && folder.mode() & STICKY == 0
}

/// The folder in which the file is named, and the one in which it lies.
fn folders(path: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let named = env::current_dir().unwrap_or_default().join(path);
    let real = path.canonicalize()?;
    Ok([named.as_path(), &real].iter().filter_map(|path| path.parent()).map(Path::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn refusal(path: &Path, user: Option<u32>) -> String {
        check_trust(path, user).unwrap_err().message
    }

    #[test]
    fn what_anybody_may_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("office.toml");
        fs::write(&file, "").unwrap();
        for mode in [0o600, 0o640, 0o644, 0o664] {
            chmod(&file, mode);
            check_trust(&file, None).unwrap();
        }
        chmod(&file, 0o646);
        assert_eq!(refusal(&file, None), "may be written by anybody; chmod o-w it");
    }

    #[test]
    fn a_folder_in_which_anybody_may_replace_it_is_refused_and_tmp_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let (open, closed) = (parent.path().join("open"), parent.path().join("closed"));
        for folder in [&open, &closed] {
            fs::create_dir(folder).unwrap();
        }
        let (file, link) = (open.join("office.toml"), closed.join("office.toml"));
        fs::write(&file, "").unwrap();
        symlink(&file, &link).unwrap();
        chmod(&open, 0o777);
        let expected = format!(
            "lies in {0}, where anybody may put another in its place; chmod o-w {0}",
            open.canonicalize().unwrap().display()
        );
        assert_eq!(refusal(&file, None), expected);
        assert_eq!(refusal(&link, None), expected, "by a link, too");
        chmod(&open, 0o1777);
        check_trust(&link, None).unwrap();
    }

    #[test]
    fn the_owner_is_root_or_whoever_runs_scanwatch() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let owner = file.as_file().metadata().unwrap().uid();
        check_trust(file.path(), Some(owner)).unwrap();
        let found = check_trust(file.path(), Some(owner + 1));
        // Root's is everybody's.
        assert_eq!(found.is_ok(), owner == 0, "{found:?}");
        let metadata = file.as_file().metadata().unwrap();
        if owner == 0 {
            std::os::unix::fs::chown(file.path(), Some(4_711), None).unwrap();
            let expected = "belongs to user 4711, who is neither root nor the one that runs scanwatch; give it to one of them";
            assert_eq!(refusal(file.path(), Some(0)), expected);
            check_trust(file.path(), Some(4_711)).unwrap();
            check_trust(file.path(), None).unwrap();
        }
        assert!(metadata.is_file());
    }

    #[test]
    fn what_is_no_file_is_its_writers_affair() {
        check_trust(Path::new("/dev/null"), Some(1)).unwrap();
        let missing = refusal(Path::new("/nonexistent/office.toml"), None);
        assert!(missing.ends_with("check the path"), "{missing}");
    }
}
