/* For programs that look for the header of libutp in a folder of its name. */
#include "../utp.h"
