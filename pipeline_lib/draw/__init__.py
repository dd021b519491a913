"""One function per figure: tables in, matplotlib figure out."""
