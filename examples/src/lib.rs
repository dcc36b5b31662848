//! The programs are beside this folder, one file each; this library is empty.
