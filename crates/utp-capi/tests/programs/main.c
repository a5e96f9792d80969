/* Runs every scenario and prints what the callbacks were called with. */
#include "world.h"

#include <stdio.h>

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    scenarios_of_opening();
    scenarios_of_streams();
    scenarios_of_endings();
    scenarios_of_errors();
    scenarios_of_settings();
    return 0;
}
