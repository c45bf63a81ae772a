"""What several tests share: worlds and sites to test on, files to load, references to compare with."""
