/* Folders of our own that are done with. */
#ifndef FOLDER_H
#define FOLDER_H

/* Removes it with all that is in it; follows no link. What is not there, or cannot go, is passed over. */
void folder_remove(const char *folder);

#endif
