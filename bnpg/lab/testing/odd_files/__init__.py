"""Odd files: every file that a command reads is replaced by every oddity, and the command must stay polite.

* `oddities`: what may stand where a file is expected: something that is no file, or other content;
* `variants`: valid content in which one thing is wrong, by format;
* `scenes`: folders with all the kinds of files, and the commands that read them;
* `trial`: one command with one odd file, and what is wrong about how it ended.
"""
