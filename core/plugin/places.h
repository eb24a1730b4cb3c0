/*
 * Where things are when nobody says so. In a build tree (`transports` and `plugins` stand beside
 * the executable) that is the tree, else it is what was installed. Found once; control thread.
 */
#ifndef PLUGIN_PLACES_H
#define PLUGIN_PLACES_H

const char *places_transports(void);
const char *places_plugins(void);
const char *places_config(void); /* the configuration file */

#endif
