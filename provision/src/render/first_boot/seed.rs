//! The seed of cloud-init's NoCloud: three files on a FAT file system with the label CIDATA
//! (<https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html>).

use std::io::{Cursor, Write};

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions, format_volume};

/// Room for what is on it and the file system itself, in steps of this many bytes.
const STEP: usize = 1 << 20;

/// The image: without a clock, so that the same files make the same bytes.
pub(super) fn image(files: &[(&'static str, String)]) -> Vec<u8> {
    let bytes: usize = files.iter().map(|(_, text)| text.len()).sum();
    let mut disk = Cursor::new(vec![0; (bytes / STEP + 2) * STEP]);
    write(&mut disk, files).expect("memory takes what it has room for");
    disk.into_inner()
}

fn write(disk: &mut Cursor<Vec<u8>>, files: &[(&'static str, String)]) -> std::io::Result<()> {
    let options = FormatVolumeOptions::new().fat_type(FatType::Fat12).volume_label(*b"CIDATA     ");
    format_volume(&mut *disk, options)?;
    disk.set_position(0);
    let system = FileSystem::new(&mut *disk, FsOptions::new())?;
    for (name, text) in files {
        let mut file = system.root_dir().create_file(name)?;
        file.write_all(text.as_bytes())?;
        file.flush()?;
    }
    Ok(())
}
